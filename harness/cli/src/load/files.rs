//! Files that a command line names. Agents on other machines have not got them: they are given what is in them, and other names.

use super::{args::LoadArgs, body::Body, request::Weighted};
use crate::outcome::Failure;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What all of them may have together: they are carried by one object of Kubernetes, which holds a mebibyte in text of which three bytes take
/// four.
const MOST: usize = 700 << 10;

/// Every file that calls are made of, in an order that follows from the command line alone.
fn named(args: &mut LoadArgs) -> Vec<&mut PathBuf> {
    let LoadArgs { cacert, cert, key, data, body, body_template, mix, .. } = args;
    let bodies = [body, body_template].into_iter().flatten().filter_map(Body::file_mut);
    let all = [cacert, cert, key, data].into_iter().flatten().chain(bodies);
    all.chain(mix.iter_mut().filter_map(Weighted::file_mut)).collect()
}

/// What is in each of them.
///
/// # Errors
/// Exit 2 where one cannot be read, or there is more than can be carried.
pub fn read(args: &LoadArgs) -> Result<Vec<Vec<u8>>, Failure> {
    let (mut args, mut total) = (args.clone(), 0);
    let mut read = |path: &mut PathBuf| {
        let bytes = fs::read(&*path).map_err(|e| Failure::usage(format!("failed to read {}: {e}", path.display())))?;
        total += bytes.len();
        match total {
            0..=MOST => Ok(bytes),
            _ => Err(Failure::usage(format!(
                "with {} the files that agents are given have more than {} KiB, and that is what a cluster carries to them",
                path.display(),
                MOST >> 10
            ))),
        }
    };
    named(&mut args).into_iter().map(&mut read).collect()
}

/// What the `nth` of them is called where an agent has it.
pub fn name(nth: usize) -> String {
    format!("file-{nth}")
}

/// The same command line, where all of them are in this folder.
pub fn moved(mut args: LoadArgs, folder: &Path) -> LoadArgs {
    named(&mut args).into_iter().enumerate().for_each(|(nth, path)| *path = folder.join(name(nth)));
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::agent::load_args;

    fn args(words: &[&str]) -> LoadArgs {
        let words = ["squall", "load", "http://a", "--rate", "5"].iter().chain(words).map(|word| (*word).to_owned());
        load_args(&words.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn every_file_is_another_where_the_agents_are() {
        let here = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            fs::write(here.path().join(name), format!("in {name}")).unwrap();
            here.path().join(name).display().to_string()
        };
        let all = ["ca", "cert", "key", "data", "cart"].map(file);
        let mix = format!("1 POST /cart @{}", all[4]);
        let args = args(&[
            "--cacert", &all[0], "--cert", &all[1], "--key", &all[2], "--data", &all[3], "--mix", "9 GET /", "--mix",
            &mix,
        ]);
        let read = read(&args).unwrap();
        assert_eq!(read, ["ca", "cert", "key", "data", "cart"].map(|name| format!("in {name}").into_bytes()));
        let mut there = moved(args, Path::new("/etc/load"));
        let all: Vec<PathBuf> = named(&mut there).into_iter().map(|path| path.clone()).collect();
        assert_eq!(all, [0, 1, 2, 3, 4].map(|nth| Path::new("/etc/load").join(name(nth))));
    }

    #[test]
    fn a_body_in_a_file_is_one_and_a_text_is_none() {
        let count = |words: &[&str]| named(&mut args(words)).len();
        assert_eq!((count(&["--body", "@x"]), count(&["--body-template", "@x"])), (1, 1));
        assert_eq!((count(&["--body", "x"]), count(&["--body", "9-bytes"]), count(&[])), (0, 0, 0));
    }

    #[test]
    fn what_cannot_be_read_or_carried_is_told() {
        assert!(read(&args(&["--body", "@/nonexistent"])).unwrap_err().to_string().contains("/nonexistent"));
        let large = tempfile::NamedTempFile::new().unwrap();
        fs::write(large.path(), vec![0; MOST + 1]).unwrap();
        let message = read(&args(&["--body", &format!("@{}", large.path().display())])).unwrap_err().to_string();
        assert!(message.contains("more than 700 KiB"), "{message}");
    }
}
