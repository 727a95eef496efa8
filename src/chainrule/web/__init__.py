"""The page in the browser that ``chainrule show`` opens: p(x_t | x_<t) of fitted models at work."""
