//! Where the user's cache is.

use super::error::EnvoyError;
use std::ffi::OsString;
use std::path::PathBuf;

/// The user's cache: `$SQUALL_CACHE`, else `$XDG_CACHE_HOME`, else `~/.cache`.
///
/// # Errors
/// [`EnvoyError::NoCache`] if none of them is known.
pub fn user_cache() -> Result<PathBuf, EnvoyError> {
    choose_cache(|name| std::env::var_os(name)).ok_or(EnvoyError::NoCache)
}

fn choose_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("SQUALL_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME"))
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_the_user() {
        let choose = |set: &[(&str, &str)]| {
            choose_cache(|name| set.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).into()))
        };
        let all = [("SQUALL_CACHE", "/s"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(choose(&all), Some("/s".into()));
        assert_eq!(choose(&all[1..]), Some("/x".into()));
        assert_eq!(choose(&all[2..]), Some("/h/.cache".into()));
        assert_eq!(choose(&[("SQUALL_CACHE", ""), ("HOME", "/h")]), Some("/h/.cache".into()));
        assert_eq!(choose(&[]), None);
    }
}
