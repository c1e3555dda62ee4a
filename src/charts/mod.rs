//! Panes, watermarks, top songs, active users: pure, without I/O, clock or async.
