"""Pages for people, at `/`. They hold no rules: every button is a call that the API makes as well."""
