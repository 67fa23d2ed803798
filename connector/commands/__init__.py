"""The commands, one family a module; ``connector.cli`` puts them together."""
