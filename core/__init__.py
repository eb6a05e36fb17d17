"""What things mean: records, formats, rules and arithmetic. No network, no Google, no Streamlit; torch only in training/."""

if __name__ == "core":
    raise ImportError("import batonpass.core: a second copy of every class would be made under the name 'core'")
