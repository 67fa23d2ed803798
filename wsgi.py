"""For any WSGI server: ``gunicorn wsgi:app``. `connector run` needs nothing of this."""

from connector.app import create_app

app = create_app()
