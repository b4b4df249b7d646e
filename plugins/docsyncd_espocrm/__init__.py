"""EspoCRM as catalog of documents, and its webhooks."""
