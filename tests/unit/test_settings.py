"""Settings: everything that can be wrong with one is told with its place and its cure, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.composition import build_sources, load_rules
from connector.errors import Problem, SettingsInvalid
from connector.settings import Settings, load_settings

KEY = "k" * 32
SOURCE = '[sources.care]\nmapping = "messenger"\nsecrets = ["s"]\n'
CRM = 'crm_client_id = "id"\ncrm_client_secret = "secret"\n'


def load(folder: Path, toml: str = "", **env: str) -> Settings:
    """The settings of a file with this text and an environment with these variables."""
    path = folder / "connector.toml"
    path.write_text(toml, encoding="utf-8")
    return load_settings(env, path)


def faults(folder: Path, toml: str = "", **env: str) -> list[Problem]:
    """What is wrong with them."""
    with pytest.raises(SettingsInvalid) as raised:
        load(folder, toml, **env)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("toml", "where", "what", "cure"),
    [
        ("timezone = ", "connector.toml", "is not TOML", "line"),
        ('colour = "blue"', ": colour", "not a setting", "Use one of"),
        ('time_zone = "UTC"', ": time_zone", "not a setting", "timezone"),
        ('company = ["Fjordpost"]', ": company", "not a text", 'company = "…"'),
        ("company = true", ": company", "not a text", 'company = "…"'),
        ('timezone = "Mars/Olympus"', ": timezone", "Mars/Olympus", "Europe/Berlin"),
        ('timezone = "CEST"', ": timezone", "CEST", "Europe/Berlin"),
        ('data_dir = "connector.toml"', ": data_dir", "not a folder", "Name a folder"),
        ('mappings_dir = "nowhere"', ": mappings_dir", "not a folder", "unset it"),
        ('mappings_dir = "."', ": mappings_dir", "no channels.yml", "unset it"),
        ('database_url = "nonsense"', ": database_url", "no address", "sqlite:///PATH"),
        ('database_url = "sqlite://"', ": database_url", "no address", "sqlite:///PATH"),
        ('database_url = "sqlite:///:memory:"', ": database_url", "lasts", "sqlite:///PATH"),
        ('database_url = "sqlite+aiosqlite:///a.db"', ": database_url", "no address", "sqlite:///PATH"),
        ('database_url = "mysql://u@h/db"', ": database_url", "no address", "postgresql+psycopg"),
        ('database_url = "postgresql+psycopg2://u@h/db"', ": database_url", "no address", "postgresql+psycopg"),
        ('database_url = "postgres://u:pw@h/db"', ": database_url", "no address", "postgresql+psycopg"),
        ('database_url = "postgresql+psycopg://u:p#w@h/db"', ": database_url", "no address", "percent-encoded"),
        ('database_url = "postgresql+psycopg://u@h:54x/db"', ": database_url", "no address", "postgresql+psycopg"),
        ('public_url = "nowhere"', ": public_url", "nowhere", "https://host/path"),
        ('public_url = "care.example"', ": public_url", "care.example", "https://host/path"),
        ('public_url = "ftp://care.example"', ": public_url", "ftp", "https://host/path"),
        ('public_url = "https://care.example?a=1"', ": public_url", "a=1", "https://host/path"),
        ('public_url = "https://care.example#top"', ": public_url", "top", "https://host/path"),
        ('public_url = "https://me:pw@care.example"', ": public_url", "care.example", "https://host/path"),
        ('public_url = "https://care .example"', ": public_url", "care", "https://host/path"),
        ('public_url = "http://[::1"', ": public_url", "[::1", "https://host/path"),
        ('public_url = "https://care.example:99999999"', ": public_url", "99999999", "https://host/path"),
        ('public_url = "https://care.example/webhooks/"', ": public_url", "webhooks", "Leave /webhooks out"),
        ('secret_key = "short"', ": secret_key", "shorter", "openssl rand"),
        ('secret_key = "env:NOT_THERE"', ": secret_key", "NOT_THERE", "Set it"),
        ('secret_key = "file:gone"', ": secret_key", "gone", "Correct the path"),
        ('admin_password = "short"', ": admin_password", "shorter", "longer"),
        ("inbox_cap = 0", ": inbox_cap", "'0'", "whole number"),
        ('inbox_cap = "many"', ": inbox_cap", "many", "whole number"),
        ("trusted_proxies = -1", ": trusted_proxies", "-1", "0 to 10"),
        ('trusted_proxies = "10.0.0.0/8"', ": trusted_proxies", "10.0.0.0", "number of proxies"),
        ('clock_file = "gone"', ": clock_file", "cannot be read", "Unset"),
        ('clock_file = "connector.toml"', ": clock_file", "no ISO time", "Unset"),
        (CRM + 'crm_url = "care.my.salesforce.com"', ": crm_url", "care.my", "My Domain"),
        (CRM + 'crm_url = "http://care.my.salesforce.com"', ": crm_url", "http:", "My Domain"),
        (CRM + 'crm_url = "https://care.lightning.force.com"', ": crm_url", "lightning", "My Domain"),
        (CRM + 'crm_url = "https://login.salesforce.com"', ": crm_url", "login", "My Domain"),
        (CRM + 'crm_url = "https://care.my.salesforce.com/lightning"', ": crm_url", "/lightning", "My Domain"),
        (CRM + 'crm_url = "https://salesforce.com.evil.example"', ": crm_url", "evil", "My Domain"),
        (CRM + 'crm_url = "https://[::1"', ": crm_url", "[::1", "My Domain"),
        ('crm_token_url = "https://evil.example/token"', ": crm_token_url", "evil", "My Domain"),
        ('crm_audience = "login"', ": crm_audience", "login", "https://login.salesforce.com"),
        ('crm_url = "http://127.0.0.1:8801"', "CONNECTOR_CRM_CLIENT_ID", "not set", "consumer key"),
        ('crm_url = "http://127.0.0.1:8801"', "CONNECTOR_CRM_CLIENT_SECRET", "PRIVATE_KEY", "one of the two"),
        ('crm_private_key = "-----BEGIN KEY-----"', "CONNECTOR_CRM_USERNAME", "not set", "integration user"),
        ('crm_private_key = "/etc/key.pem"', ": crm_private_key", "PEM", "file:"),
        ('crm_api_version = "v66"', ": crm_api_version", "v66", "66.0"),
        ('crm_api_version = "nan"', ": crm_api_version", "nan", "66.0"),
        ('crm_api_version = "inf"', ": crm_api_version", "inf", "66.0"),
        ("crm_api_version = 41.0", ": crm_api_version", "41.0", "57.0 or newer"),
        ('crm_share = "20%"', ": crm_share", "20%", "between 0 and 1"),
        ("crm_share = 20", ": crm_share", "20", "between 0 and 1"),
        ("crm_share = 0", ": crm_share", "0", "between 0 and 1"),
        ('suggestions_known_share = "80%"', ": suggestions_known_share", "80%", "such as 0.5"),
        ("suggestions_known_share = 1", ": suggestions_known_share", "'1'", "such as 0.5"),
        ("suggestions_known_share = 0", ": suggestions_known_share", "'0'", "such as 0.5"),
        ("suggestions_known_share = nan", ": suggestions_known_share", "nan", "such as 0.5"),
        ('sources = "messenger"', ": sources", "not a table", "[sources.NAME]"),
        ('[sources]\nmessenger = "x"', ": sources.messenger", "not a table", "[sources.messenger]"),
        (SOURCE.replace("care", '"a b/c"'), ": sources.a b/c", "a source's name", "letters"),
        (SOURCE.replace("care", "api"), ": sources.api", "a source's name", "not api"),
        (SOURCE + 'company = "Fjordpost"', ": sources.care.company", "not a setting of a source", "Move it above"),
        (SOURCE + 'secret = "s"', ": sources.care.secret", "not a setting", "secrets"),
        (SOURCE.replace('"messenger"', "5"), ": sources.care.mapping", "not a text", "messenger"),
        ('[sources.care]\nsecrets = ["s"]', ": sources.care", "names no mapping", "messenger"),
        (SOURCE.replace('["s"]', "[]"), ": sources.care.secrets", "empty", "Add"),
        (SOURCE.replace('["s"]', '"s"'), ": sources.care.secrets", "not a list", 'secrets = ["…"]'),
        (SOURCE.replace('["s"]', '[""]'), ": sources.care.secrets", "empty entry", "Remove"),
        (SOURCE.replace('["s"]', '["a", "b", "c"]'), ": sources.care.secrets", "more than two", "previous"),
        (SOURCE.replace('"s"', '"env:NOT_THERE"'), ": sources.care.secrets", "NOT_THERE", "Set it"),
        (SOURCE + "account_ids = 7", ": sources.care.account_ids", "not a list", "account_ids"),
        (SOURCE + "account_ids = [true]", ": sources.care.account_ids", "not a list", "account_ids"),
        (SOURCE + "topics = 'https://a'", ": sources.care.topics", "not a list", "topics"),
        (SOURCE + "verify_token = 5", ": sources.care.verify_token", "not a text", "as text"),
        (SOURCE + "verify_token = 'file:gone'", ": sources.care.verify_token", "gone", "path"),
        (SOURCE + "scope = 2", ": sources.care.scope", "not a text", "name"),
        (SOURCE + "verification = ['a']", ": sources.care.verification", "not a text", "adding-a-source"),
        (SOURCE + "max_bytes = 0", ": sources.care.max_bytes", "0", "whole number"),
        (SOURCE + "max_bytes = true", ": sources.care.max_bytes", "True", "whole number"),
        (SOURCE + "max_bytes = 10_000_000_000", ": sources.care.max_bytes", "10000000000", "at most"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, where: str, what: str, cure: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = faults(tmp_path, toml)
    assert any(each.where.endswith(where) and what in each.what and cure in each.cure for each in found), found
    assert all(str(each).endswith((".", "?")) and "\n" not in str(each).replace(toml, "") for each in found), found


def test_the_client_id_may_be_a_reference_as_the_quickstart_has_it(tmp_path: Path) -> None:
    """Sent as it stands, the org would refuse the login for a client named env:SF_CLIENT_ID."""
    toml = CRM.replace('"id"', '"env:SF_CLIENT_ID"') + 'crm_url = "http://127.0.0.1:8801"'
    assert load(tmp_path, toml, SF_CLIENT_ID="3MVG9").crm.client_id == "3MVG9"
    (fault,) = faults(tmp_path, toml)
    assert "SF_CLIENT_ID, which is not set" in fault.what


def test_one_fault_is_told_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, SOURCE.replace('["s"]', '"s"'))) == 1
    assert len(faults(tmp_path, CRM.replace('"secret"', '"env:NOT_THERE"') + 'crm_url = "http://127.0.0.1:8801"')) == 1


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    toml = 'timezone = "Mars"\npublic_url = "nowhere"\ncrm_share = 7\n' + SOURCE.replace('["s"]', "[]")
    assert len(faults(tmp_path, toml)) == 4


@pytest.mark.parametrize("variable", ["CONNECTOR_PUBILC_URL", "CONNECTOR_DATABASEURL", "CONNECTOR_CRM_CLIENT_SECRETS"])
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(tmp_path: Path, variable: str) -> None:
    [fault] = faults(tmp_path, **{variable: "x"})
    assert (fault.where, "Did you mean CONNECTOR_" in fault.cure) == (variable, True)


def test_variables_that_an_orchestrator_sets_are_left_alone(tmp_path: Path) -> None:
    """Kubernetes tells each container of a service named `connector` where it is."""
    kubernetes = {
        "CONNECTOR_SERVICE_HOST": "10.0.0.1", "CONNECTOR_SERVICE_PORT": "80", "CONNECTOR_PORT": "tcp://10.0.0.1:80",
        "CONNECTOR_PORT_80_TCP_ADDR": "10.0.0.1", "CONNECTOR_PORT_80_TCP_PROTO": "tcp",
    }  # fmt: skip
    assert load(tmp_path, **kubernetes).timezone == "UTC"


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="does not exist"):
        load_settings({"CONNECTOR_CONFIG": str(tmp_path / "gone.toml")})
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_settings({"CONNECTOR_CONFIG": str(tmp_path)})


def test_no_secret_is_quoted(tmp_path: Path) -> None:
    toml = 'secret_key = "hunter22"\nadmin_password = "hunter23"\ncrm_private_key = "hunter24"\n'
    told = faults(tmp_path, toml + 'database_url = "postgres://care:hunter25@db/x"\n')
    assert len(told) >= 4
    assert not any("hunter" in str(each) for each in told)
    secret = load(tmp_path, f'secret_key = "{KEY}"\n{SOURCE.replace(chr(34) + "s" + chr(34), chr(34) + KEY + chr(34))}')
    assert KEY not in repr(secret)


def test_the_environment_wins_and_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    toml = 'timezone = "Europe/Oslo"\ncompany = "Fjordpost"'
    found = load(tmp_path, toml, CONNECTOR_TIMEZONE="Europe/Berlin", CONNECTOR_COMPANY="")
    assert (found.timezone, found.company) == ("Europe/Berlin", "Fjordpost")


def test_what_windows_adds_does_no_harm(tmp_path: Path) -> None:
    """A byte order mark before the file, and the line end of an env file."""
    found = load(tmp_path, '\ufefftimezone = "Europe/Oslo"\r\n', CONNECTOR_PUBLIC_URL="https://care.example/\r")
    assert (found.timezone, found.public_url) == ("Europe/Oslo", "https://care.example")


def test_secrets_are_read_from_where_they_are_kept(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("the new one\n", encoding="utf-8")
    toml = SOURCE.replace('["s"]', f'["file:{tmp_path}/new", "env:PREVIOUS"]')
    assert load(tmp_path, toml, PREVIOUS="the previous one").sources["care"].secrets == (
        "the new one",
        "the previous one",
    )


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u@h/db", "postgresql+psycopg://u@h/db"),
        ("postgresql+psycopg:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=/run/postgresql"),
        ("sqlite:////var/lib/connector.db", "sqlite:////var/lib/connector.db"),
        ("", "sqlite:///.connector/connector.db"),
    ],
)
def test_a_database_address_that_works_is_taken(tmp_path: Path, given: str, used: str) -> None:
    assert load(tmp_path, f'database_url = "{given}"').database_url == used


@pytest.mark.parametrize(
    ("mapping", "secrets", "more", "told"),
    [
        ("telegraf", ["s"], "", "not a mapping file. Use one of: amazon_connect"),
        ("postmark", ["a:b"], 'verification = "meta"', "does not offer. Use one of: basic_auth, url_token"),
        ("messenger", ["s"], 'verification = "hootsuite"', "does not offer. Use one of: meta, meta_legacy_sha1"),
        ("social_case", ["plain"], "", "whsec_"),
        ("social_case", ["whsec_%%%"], "", "base64"),
        ("social_case", ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0", "plain"], "", "whsec_"),
        ("postmark", ["only-a-password"], "", "user:password"),
        ("telegram", ["with space"], "", "A-Z, a-z"),
        ("google_business", ["https://care.example"], "", "audience service-account-email"),
    ],
)
def test_a_source_that_cannot_prove_anybody_is_told_at_start(
    tmp_path: Path, mapping: str, secrets: list[str], more: str, told: str
) -> None:
    listed = ", ".join(f'"{each}"' for each in secrets)
    settings = load(tmp_path, f'[sources.care]\nmapping = "{mapping}"\nsecrets = [{listed}]\n{more}')
    with pytest.raises(SettingsInvalid) as raised:
        build_sources(settings, load_rules(settings))
    [problem] = raised.value.problems
    assert problem.where.startswith("sources.care")
    assert told in f"{problem.what} {problem.cure}"
    assert not any(each in str(problem) for each in ("whsec_%%%", "only-a-password", "with space"))


def test_a_source_may_hold_the_new_secret_and_the_one_before(tmp_path: Path) -> None:
    settings = load(tmp_path, SOURCE.replace('["s"]', '["new", "before"]'))
    assert build_sources(settings, load_rules(settings))["care"].secrets == ("new", "before")
