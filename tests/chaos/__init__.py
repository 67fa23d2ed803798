"""The service under kill -9, an org that fails a fifth of its calls, and a checker that shares no code with it."""
