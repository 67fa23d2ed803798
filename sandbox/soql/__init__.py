"""SOQL: read by a grammar, translated to SQL; what it does not know it refuses, never skips."""
