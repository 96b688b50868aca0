//! Every statement, tried as a list.
