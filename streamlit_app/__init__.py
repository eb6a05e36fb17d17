"""What people look at. Reads through repository.py; never imports torch and never opens the tensors of a checkpoint."""

if __name__ == "streamlit_app":
    raise ImportError(
        "import batonpass.streamlit_app: a second copy of every class would be made under the name 'streamlit_app'"
    )
