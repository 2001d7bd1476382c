"""Names of folders below which a study has to work, for property tests."""

from hypothesis import strategies as st

# Any characters but those that no file system takes, and the shapes that engines read meaning into:
# a column's value, a pattern, a quote, a variable, a part of a URL.
FOLDER_NAMES = st.one_of(
    st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1),
    st.builds("{}={}".format, st.sampled_from(["area", "n", "city"]), st.text("ab=%5B0 ")),
    st.text("ab[]*?!^-{}~$%&;#:'\"` \u00fc", min_size=1),
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
