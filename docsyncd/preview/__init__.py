"""From a staged document to a WebP picture, in a confined worker process."""
