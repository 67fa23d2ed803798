"""Webhooks inside Flask, for any WSGI server; `connector run` answers them by the same function before Flask."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from connector.flows.receive import Receiver

RECEIVER = "connector.receiver"

webhooks = Blueprint("webhooks", __name__)


@webhooks.route("/webhooks/<source>", methods=["POST", "GET"], provide_automatic_options=False)
def receive(source: str) -> Response:
    """The receiver's answer to a delivery or a challenge."""
    receiver: Receiver = current_app.extensions[RECEIVER]
    answer = receiver.refusal(source, request.content_length, encoded="Content-Encoding" in request.headers)
    if answer is None:
        # One byte more than the cap tells a chunked body that is too large from one that just fits.
        body = request.stream.read(receiver.cap(source) + 1)
        answer = receiver.receive(
            source,
            method=request.method,
            query=request.query_string.decode("latin-1"),
            headers=request.headers.items(),
            body=body,
        )
    return Response(answer.body, answer.status, dict(answer.headers), content_type=answer.content_type)
