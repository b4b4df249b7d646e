"""From a staged document to a WebP picture, in a confined worker process.

The daemon's side is `pool` (with `process`, `scratch`, `detect`, `builtin`, `settings`), the worker's side is `worker`
(with `image`, `pdf`, `encode`); `protocol` and `confine` belong to both. Pillow is imported on the worker's side only.
"""
