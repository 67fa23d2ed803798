"""How the pages call things."""

from __future__ import annotations

import pytest

from connector.web import present


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"network": "x", "handle": "mara", "display_name": "Mara"}, "@mara"),
        ({"network": "email", "handle": "mara@harbour.example", "display_name": "Mara"}, "mara@harbour.example"),
        ({"network": "whatsapp", "handle": "4915555033110", "display_name": None}, "4915555033110"),
        ({"network": "phone", "handle": None, "display_name": None, "external_id": "+12065550173"}, "+12065550173"),
        (
            {"network": "messenger", "handle": None, "display_name": None, "external_id": "7700123344821"},
            "M account …344821",
        ),
        ({"network": "messenger", "handle": None, "display_name": None, "external_id": "77"}, "M account 77"),
        ({"network": "messenger", "handle": None, "display_name": None, "external_id": None}, "M account"),
        ({"network": "facebook", "handle": None, "display_name": "Sam", "external_id": "66"}, "Sam"),
    ],
)
def test_an_account_is_called_by_what_a_person_would_call_it(row: dict[str, str | None], shown: str) -> None:
    assert present.account({"external_id": None, **row}, "M") == shown
