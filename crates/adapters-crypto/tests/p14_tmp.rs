use adapters_crypto::*;
use domain::{password::*, ports::*};
use std::{sync::Arc, time::Instant, num::NonZeroUsize};

fn hasher(m: u32, t: u32) -> Argon2Hasher {
    let lane = LaneSettings { threads: NonZeroUsize::MIN, ..LaneSettings::default() };
    Argon2Hasher::new(Argon2Params { memory_kib: m, iterations: t, parallelism: 1 }, Arc::new(HashLane::start(lane).unwrap())).unwrap()
}
fn auc(a: &[f64], b: &[f64]) -> f64 {
    let mut wins = 0.0;
    for x in a { for y in b { wins += if x > y { 1.0 } else if x == y { 0.5 } else { 0.0 }; } }
    wins / (a.len() * b.len()) as f64
}
fn median(v: &[f64]) -> f64 { let mut v = v.to_vec(); v.sort_by(f64::total_cmp); v[v.len()/2] }
async fn time(h: &Argon2Hasher, hash: Option<&PasswordHash>) -> f64 {
    let s = Instant::now();
    h.verify(Password::new("wrong guess".into()), hash.cloned()).await.unwrap();
    s.elapsed().as_secs_f64() * 1e3
}
#[tokio::test]
async fn bench() {
    for (old, new) in [((19456, 2), (19456, 5)), ((19456, 2), (47104, 2)), ((19456,2),(65536,3)), ((4096,3),(19456,2))] {
        let (cheap, full) = (hasher(old.0, old.1), hasher(new.0, new.1));
        let stored = cheap.hash(Password::new("pw".into())).await.unwrap();
        let fresh = full.hash(Password::new("pw".into())).await.unwrap();
        let unusable = PasswordHash::from_phc("$2b$12$x".into());
        let (mut before, mut after, mut unknown, mut same, mut broken) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..200 {
            before.push(time(&cheap, Some(&stored)).await);
            after.push(time(&full, Some(&stored)).await);
            unknown.push(time(&full, None).await);
            same.push(time(&full, Some(&fresh)).await);
            broken.push(time(&full, Some(&unusable)).await);
        }
        println!("{old:?}->{new:?}: before {:.1} after {:.1} unknown {:.1} current {:.1} broken {:.1} ms; AUC before {:.3} after {:.3} current {:.3} broken {:.3}",
            median(&before), median(&after), median(&unknown), median(&same), median(&broken),
            auc(&before, &unknown), auc(&after, &unknown), auc(&same, &unknown), auc(&broken, &unknown));
    }
    let meter = ZxcvbnMeter::new(Arc::new(HashLane::start(LaneSettings::default()).unwrap()));
    for text in [r#"@4683({[<69!i1|/\$5+7%2zZqQxXyYpP0oO"#.repeat(3), "correct horse battery staple".into(), "4@8({[<6g9!1i|7l0$s5+t%x2z".repeat(4), "@483({[<691!|7l0$5+%2".repeat(5)] {
        let mut ts = vec![];
        for _ in 0..20 { let s = Instant::now(); meter.rate(Password::new(text.clone()), vec!["alice".into()]).await.unwrap(); ts.push(s.elapsed().as_secs_f64()*1e3); }
        println!("rate {:?}: {:.1} ms", &text[..20], median(&ts));
    }
}
