fn main() {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap();
        let t = std::time::Instant::now();
        let r = squall_gherkin::compile(
            &squall_gherkin::Source::new(path.clone(), text.clone()),
            &squall_gherkin::Defaults::default(),
        );
        let took = t.elapsed();
        let (ds, n) = match &r {
            Ok(c) => (&c.warnings, c.plans.len()),
            Err(d) => (d, 0),
        };
        println!("== {path}: {n} plans, {} diagnostics, {took:?}", ds.len());
        for d in ds {
            println!("{:?}[{}]: {}\n  --> {}", d.severity, d.code, d.message, d.origin);
            let line = text.lines().nth(d.origin.line as usize - 1).unwrap_or("");
            println!(
                "   | {line}\n   | {}{} {}",
                " ".repeat(d.origin.column as usize - 1),
                "^".repeat(d.origin.length as usize),
                d.label
            );
            if let Some(h) = &d.hint {
                for l in h.lines() {
                    println!("   = {l}");
                }
            }
        }
        if let Ok(c) = &r {
            for p in &c.plans {
                for n in &p.needs {
                    println!("   need {}: {}", n.origin, n.what);
                }
            }
        }
        if std::env::var("PLAN").is_ok() {
            if let Ok(c) = &r {
                for p in &c.plans {
                    println!("{}", serde_yaml::to_string(p).unwrap());
                }
            }
        }
    }
}
