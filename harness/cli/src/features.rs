//! Feature files and experiments: found, read, compiled, selected; mistakes shown all at once before anything starts.

use crate::{
    args::{FaultBy, Paths, PlaceKind},
    cluster, date,
    diagnose::Sources,
    mesh,
    outcome::{Exit, Failure},
    settings::{Kubernetes, Settings},
    term::Out,
};
use squall_gherkin::{
    Application, Defaults, Selection, Source, TagExpression, compile, experiment_from_yaml, is_experiment,
};
use squall_model::{Diagnostic, Plan, Service, Severity};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What was selected, and what was said about it.
#[derive(Debug)]
pub struct Selected {
    /// The plans, file by file, in the order of writing.
    pub plans: Vec<Plan>,
    /// Warnings; errors end the command.
    pub warnings: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: Sources,
    /// The seed that they were compiled with.
    pub seed: u64,
}

/// Reads, compiles and selects; `context` is where applications are deployed that scenarios speak of, if it was named.
///
/// # Errors
/// Exit 2 with every mistake; exit 3 where an application cannot be looked at; exit 4 where nothing is left to run.
pub fn select(paths: &Paths, settings: &Settings, context: Option<&str>, out: Out) -> Result<Selected, Failure> {
    let tags = match &paths.tags {
        Some(text) => Some(text.parse::<TagExpression>().map_err(|e| Failure::usage(format!("--tags: {e}")))?),
        None => None,
    };
    let seed = paths.seed.unwrap_or_else(rand::random);
    let on_cluster = paths.on.contains(&PlaceKind::Kubernetes);
    let sources = RefCell::new(Sources::default());
    let applications = Applications {
        of: on_cluster.then_some((context, &settings.kubernetes)),
        by: paths.fault_by,
        allow_edit: paths.allow_edit,
        seen: RefCell::default(),
    };
    let (mut plans, mut diagnostics) = (Vec::new(), Vec::new());
    for (file, lines) in files(&paths.paths)? {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|e| Failure::usage(format!("failed to read {name}: {e}")))?;
        sources.borrow_mut().add(&name, &text);
        let last = text.lines().count() as u32;
        if let Some(line) = lines.iter().find(|line| **line == 0 || **line > last) {
            return Err(Failure::usage(format!("{name} has {last} lines, and no line {line}")));
        }
        let mesh = |mesh: &str| read_mesh(mesh, &mut sources.borrow_mut());
        let application = |namespace: &str| applications.in_namespace(namespace);
        let env = Defaults {
            seed,
            rates: settings.verdict,
            today: Some(date::today()),
            mesh: &mesh,
            application: &application,
            ..Defaults::default()
        };
        let meant = Selection { tags: tags.clone(), lines };
        let compiled = match is_yaml(&file) {
            true => experiment_from_yaml(&Source::new(name, text), &env, &meant),
            false => compile(&Source::new(name, text), &env, &meant),
        };
        match compiled {
            Ok(compiled) => {
                diagnostics.extend(compiled.warnings);
                diagnostics.extend(compiled.plans.iter().flat_map(mesh::lint));
                if on_cluster {
                    let limits = &settings.kubernetes.limits;
                    diagnostics.extend(compiled.plans.iter().flat_map(|plan| limits.beyond(plan)));
                }
                plans.extend(compiled.plans);
            }
            Err(mistakes) => diagnostics.extend(mistakes),
        }
    }
    applications.failure()?;
    let sources = sources.into_inner();
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Err(Failure::mistakes(sources.render(&diagnostics, out.error_style.colour)));
    }
    if plans.is_empty() {
        return Err(nothing(paths));
    }
    Ok(Selected { plans, warnings: diagnostics, sources, seed })
}

/// `lint`: says what is wrong, or that nothing is.
pub fn lint(paths: &Paths, out: Out) -> Result<Exit, Failure> {
    let selected = select(paths, &Settings::read(Path::new("."))?, None, out)?;
    let grounds = paths.grounds();
    let unsupported = selected.plans.iter().flat_map(|plan| mesh::unsupported(plan, &grounds));
    let told: Vec<Diagnostic> = selected.warnings.iter().cloned().chain(unsupported).collect();
    out.print_error(&selected.sources.render(&told, out.error_style.colour));
    let (scenarios, plural) = (selected.plans.len(), if selected.plans.len() == 1 { "" } else { "s" });
    out.print(&format!("{scenarios} scenario{plural}, no mistake\n"));
    Ok(Exit::Holds)
}

/// Feature files in order, each with the lines asked for; none: all of it.
fn files(asked: &[String]) -> Result<BTreeMap<PathBuf, Vec<u32>>, Failure> {
    // By what a path leads to, so that a file named twice is read once; `None` as lines: all of it, whatever else was asked.
    let mut all: BTreeMap<PathBuf, (PathBuf, Option<Vec<u32>>)> = BTreeMap::new();
    for text in asked {
        let (path, line) = ask(text);
        if !path.exists() {
            let here = std::env::current_dir().map_or_else(|_| String::new(), |here| format!(" in {}", here.display()));
            return Err(Failure::usage(format!("there is no file or folder {}{here}", path.display())));
        }
        let mut found = Vec::new();
        collect(&path, &mut found).map_err(|e| Failure::usage(format!("failed to read {}: {e}", path.display())))?;
        for file in found {
            let key = file.canonicalize().unwrap_or_else(|_| file.clone());
            let lines = &mut all.entry(key).or_insert_with(|| (file, Some(Vec::new()))).1;
            match (line, lines.as_mut()) {
                (Some(line), Some(lines)) => lines.push(line),
                (None, _) => *lines = None,
                (Some(_), None) => {}
            }
        }
    }
    Ok(all.into_values().map(|(file, lines)| (file, lines.unwrap_or_default())).collect())
}

/// `PATH:LINE`, `PATH:LINE:COLUMN` as messages print it, or a path that just looks like it.
fn ask(text: &str) -> (PathBuf, Option<u32>) {
    let split = |text: &'_ str| -> Option<(String, u32)> {
        let (path, line) = text.rsplit_once(':')?;
        Some((path.to_owned(), line.parse().ok()?))
    };
    match split(text) {
        _ if Path::new(text).exists() => (text.into(), None),
        Some((path, line)) => match split(&path) {
            Some((path, line)) if !Path::new(&path).is_dir() && Path::new(&path).exists() => (path.into(), Some(line)),
            _ => (path.into(), Some(line)),
        },
        None => (text.into(), None),
    }
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// A file as it is; of a folder every `.feature` below it, and every `.yaml` that is an experiment, by name.
fn collect(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    // Hidden folders are nobody's features: where a ConfigMap is mounted they have each of its files once more.
    let is_hidden = |entry: &Path| entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    for entry in entries.into_iter().filter(|entry| !is_hidden(entry)) {
        let is_feature = entry.extension().is_some_and(|e| e == "feature");
        if entry.is_dir() || is_feature || is_yaml(&entry) && is_experiment(&std::fs::read_to_string(&entry)?) {
            collect(&entry, found)?;
        }
    }
    Ok(())
}

/// What is deployed, each namespace looked at once, where a cluster is meant at all.
struct Applications<'a> {
    /// The context of it, if one was named, and what the project sets; `None`: no cluster is meant.
    of: Option<(Option<&'a str>, &'a Kubernetes)>,
    by: FaultBy,
    allow_edit: bool,
    seen: RefCell<BTreeMap<String, Result<Vec<Service>, Failure>>>,
}

impl Applications<'_> {
    /// What is deployed there. What cannot be looked at is unseen, and a [failure](Applications::failure).
    fn in_namespace(&self, namespace: &str) -> Application {
        let Some((context, kubernetes)) = self.of else { return Application::Unseen };
        let mut seen = self.seen.borrow_mut();
        let looked = seen
            .entry(namespace.to_owned())
            .or_insert_with(|| cluster::application(context, kubernetes, namespace).map(|all| self.allowed(all)));
        looked.as_ref().map_or(Application::Unseen, |services| Application::Seen(services.clone()))
    }

    /// The same services, with no more than is allowed: proxies of theirs that ask the fault port, pods that are restarted.
    fn allowed(&self, mut services: Vec<Service>) -> Vec<Service> {
        for of in services.iter_mut().filter_map(|service| service.deployed.as_mut()) {
            of.pods = of.pods.take().filter(|_| self.by != FaultBy::Native);
            of.restarted = of.restarted.take().filter(|_| self.allow_edit);
        }
        services
    }

    /// Why one could not be looked at.
    fn failure(self) -> Result<(), Failure> {
        self.seen.into_inner().into_values().find_map(Result::err).map_or(Ok(()), Err)
    }
}

/// `the mesh "shop"` is `scenarios/shop.yaml`.
fn read_mesh(mesh: &str, sources: &mut Sources) -> Option<String> {
    let name = format!("scenarios/{mesh}.yaml");
    let text = std::fs::read_to_string(&name).ok()?;
    sources.add(&name, &text);
    Some(text)
}

fn nothing(paths: &Paths) -> Failure {
    let where_ = paths.paths.join(", ");
    match &paths.tags {
        Some(tags) => Failure::nothing(format!("no scenario in {where_} has the tags {tags}")),
        None => Failure::nothing(format!("there is no scenario in {where_}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Deployed;

    #[test]
    fn no_more_is_done_to_others_than_was_allowed() {
        let labels = || Some(BTreeMap::from([("app".to_owned(), "shop".to_owned())]));
        let deployed = Deployed { pods: labels(), restarted: labels(), ..Deployed::default() };
        let shop = Service { deployed: Some(deployed), ..Service::new("shop".into()) };
        for (by, allow_edit) in [FaultBy::Auto, FaultBy::Native].into_iter().flat_map(|by| [(by, false), (by, true)]) {
            let applications = Applications { of: None, by, allow_edit, seen: RefCell::default() };
            let allowed = applications.allowed(vec![shop.clone()]);
            let of = allowed[0].deployed.as_ref().unwrap();
            assert_eq!((of.pods.is_some(), of.restarted.is_some()), (by == FaultBy::Auto, allow_edit));
        }
    }
}
