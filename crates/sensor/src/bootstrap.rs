//! What was there before the sensor: processes, descriptors, users, from `/proc` and `/etc`.
