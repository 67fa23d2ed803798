"""HTTP in, Salesforce's answers out; one module a family of paths."""
