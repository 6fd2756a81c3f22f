//! Hostile values in every parameter of every operation that the document has: paths, queries,
//! headers and each field of each body.
//!
//! An ordinary Admin of a tenant sends them (an operator where nobody else may), in requests that
//! are otherwise in order, so that they get past the checks wherever they can. No answer may be a
//! fault of the service, tell anything of its inside, or differ from the document. Nothing of a
//! neighbour may be seen or changed. A value that was taken has to read back as it was sent. No
//! session of the database may ever be found asleep, as a payload that became SQL would make it.

mod database;
mod judge;
mod neighbour;
mod payloads;
mod places;
mod requests;

use std::collections::{BTreeMap, HashSet};

use admin::rate_limit::Allowed;
use admin::rights::permissions::Who;
use admin::rights::table;
use admin::signup::Mode;
use axum::http::Method;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use self::database::{catalog, watch};
use self::judge::Judge;
use self::neighbour::neighbour;
use self::payloads::{Payload, Scope, corpus};
use self::places::{Place, Schemas, Step, Target};
use self::requests::{Sender, Sent};
use crate::accounts::{self, EMAIL};
use crate::document::{Operation, operations};
use crate::harness::{Api, BASE_DOMAIN, Options, Reply, id_of, stop_clock, with_api};
use crate::publishing::World;
use crate::state::state;

/// The number of operations that are tried at the same time: while one waits for the database,
/// another can be answered.
const AT_ONCE: usize = 4;

/// The outcomes of the payloads of one operation.
#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    taken: usize,
    read_back: usize,
}

/// Everything that a test of one operation needs.
struct Trial<'a> {
    api: &'a Api,
    sender: &'a Sender<'a>,
    judge: &'a Judge<'a>,
    corpus: &'a [Payload],
}

impl Trial<'_> {
    /// Puts the payloads into one place. `is_new`: no place of its kind was tried yet.
    async fn run(
        &self,
        operation: &Operation,
        target: &Target,
        is_new: bool,
        tally: &mut Tally,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for payload in self.corpus.iter().filter(|payload| is_tried(payload.scope, target, is_new))
        {
            let Some(sent) = self.sender.request(operation, &target.place, payload) else {
                continue;
            };
            let reply = sent.send(self.api).await;
            tally.requests += 1;
            let mut reasons = Vec::new();
            reasons.extend(self.judge.look(operation, &sent.shown(), &reply, sent.by_operator));
            if (200..300).contains(&reply.status) {
                tally.taken += 1;
                reasons
                    .extend(self.read_back(operation, target, payload, &sent, &reply, tally).await);
            }
            wrong.extend(reasons.into_iter().map(|reason| {
                let value = String::from_utf8_lossy(&payload.json);
                format!(
                    "{} {} with {value:.120}: {reason}: {} {}",
                    operation.id,
                    target.place,
                    reply.status,
                    reply.text()
                )
            }));
        }
        wrong
    }

    /// True if the object has the value that was taken, both in the answer and when it is read. An
    /// object that was made is removed again.
    async fn read_back(
        &self,
        operation: &Operation,
        target: &Target,
        payload: &Payload,
        sent: &Sent,
        reply: &Reply,
        tally: &mut Tally,
    ) -> Option<String> {
        let place = match operation.method.as_str() {
            "POST" => reply.headers.get("location")?.to_str().ok()?.to_owned(),
            "PATCH" => sent.path.clone(),
            _ => return None,
        };
        let mut wrong = None;
        if let (Place::Body(steps), Some(meant)) = (&target.place, payload.meant()) {
            let mut found = vec![reply.json()];
            let got =
                self.sender.call(self.api, sent.by_operator, Method::GET, &place).send().await;
            tally.requests += 1;
            if got.status == 200 {
                found.push(got.json());
            }
            for object in &found {
                let Some(stored) = at(object, steps).and_then(Value::as_str) else { continue };
                tally.read_back += 1;
                // The base domain completes a hostname.
                let is_kept = stored == meant
                    || (operation.id == "createHostname"
                        && stored == format!("{meant}.{BASE_DOMAIN}"));
                if !is_kept {
                    wrong = Some(format!("it reads back as {stored:?}"));
                }
            }
        }
        if operation.method == "POST" {
            self.sender.call(self.api, sent.by_operator, Method::DELETE, &place).send().await;
            tally.requests += 1;
        }
        wrong
    }
}

/// `is_new`: no place of this kind was tried yet.
fn is_tried(scope: Scope, target: &Target, is_new: bool) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::Core => target.is_text,
        Scope::Kinds => is_new,
        Scope::Texts => is_new && target.is_text,
    }
}

/// The value in an answer to which the steps lead.
fn at<'v>(value: &'v Value, steps: &[(Step, Value)]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, (step, _)| match step {
        Step::Field(name) => value.get(name),
        Step::Item => value.get(0),
        Step::Name => None,
    })
}

/// The kinds of places that were tried with all payloads.
type Seen = HashSet<String>;

/// The places of each operation, each with true if all payloads are tried there.
fn plan(
    schemas: &Schemas<'_>,
    sender: &Sender<'_>,
    list: Vec<Operation>,
) -> Vec<(Operation, Vec<(Target, bool)>)> {
    let mut seen = Seen::new();
    let mut planned = Vec::new();
    for operation in list {
        let mut targets = schemas.targets(&operation);
        if let Some(example) = sender.example(&operation) {
            Schemas::leaves(&example, &mut Vec::new(), &mut targets);
        }
        let targets = targets.into_iter().map(|target| {
            let is_new = seen.insert(target.kind.clone());
            (target, is_new)
        });
        let targets = targets.collect();
        planned.push((operation, targets));
    }
    // Exports are long after all the other operations have left their traces, and nothing can be
    // tried any more when the tenant closes.
    planned.sort_by_key(|(operation, _)| {
        (operation.id == "closeTenant", !operation.path.ends_with("/export"))
    });
    planned
}

#[tokio::test]
async fn nothing_that_is_put_anywhere_becomes_more_than_a_value() {
    with_api(async |api| {
        // The access token of the Admin is valid for ten minutes; the test may take longer.
        stop_clock();
        let trusted = vec!["192.0.2.0/24".parse().unwrap()];
        let rate_limits = Allowed { trusted_proxies: trusted, ..Allowed::default() };
        let api = &api.with(Options { signup: Mode::Open, rate_limits, ..Options::default() });
        let own = World::make(api, "acme").await;
        let (victim, secrets) = neighbour(api).await;
        let admin = api.colleague(id_of(&own.tenant), json!({"role": "admin"})).await;
        accounts::person(api, EMAIL).await;
        let document = api.get("/openapi.json").await.json();
        let schemas = Schemas(&document);
        let imports = json!({"name": "imports", "upstream_id": id_of(&own.upstream)});
        let imports = api.make(&format!("{}/versions", own.api), imports).await;
        let spare = api
            .make(&format!("{}/sites", own.tenant), json!({"name": "spare", "slug": "spare"}))
            .await;
        let sender =
            Sender::new(&schemas, &own, (&imports, &spare), api.token.reveal(), &admin.token);
        let corpus = corpus(&victim);
        // An id that the caller itself has sent may come back.
        let is_sent = |secret: &String| {
            corpus
                .iter()
                .any(|payload| String::from_utf8_lossy(&payload.json).contains(secret.as_str()))
        };
        let judge =
            Judge::new(&schemas, secrets.into_iter().filter(|secret| !is_sent(secret)).collect());
        let list = operations(api).await;
        let uncovered: Vec<String> = stream::iter(&list)
            .filter_map(|operation| sender.uncovered(api, operation))
            .collect()
            .await;
        assert_eq!(uncovered, Vec::<String>::new(), "say in injection/requests.rs what these take");
        let (untouched, tables) = (state(api, id_of(&victim.tenant)).await, catalog(api).await);
        let trial = Trial { api, sender: &sender, judge: &judge, corpus: &corpus };
        let trial = &trial;
        let victim = &victim;
        let untouched = &untouched;
        let run = stream::iter(plan(&schemas, &sender, list)).map(async |(operation, targets)| {
            let (mut tally, mut wrong) = (Tally::default(), Vec::new());
            for (target, is_new) in &targets {
                wrong.extend(trial.run(&operation, target, *is_new, &mut tally).await);
            }
            if state(api, id_of(&victim.tenant)).await != *untouched {
                wrong.push(format!("the neighbour was changed while {} was tried", operation.id));
            }
            (operation.id, targets.len(), tally, wrong)
        });
        let outcomes = tokio::select! {
            outcomes = run.buffer_unordered(AT_ONCE).collect::<Vec<_>>() => outcomes,
            never = watch(api) => never,
        };
        assert_eq!(catalog(api).await, tables, "what is in the database has changed");
        report(outcomes, corpus.len());
    })
    .await;
}

/// The id of an operation, the number of places in it, the outcomes there, and the faults.
type Outcome = (String, usize, Tally, Vec<String>);

/// Prints the outcomes, and fails if there is a fault in one, or if too little was tried.
fn report(outcomes: Vec<Outcome>, payloads: usize) {
    let places: usize = outcomes.iter().map(|(_, places, _, _)| places).sum();
    let sum = |of: fn(&Tally) -> usize| -> usize {
        outcomes.iter().map(|(_, _, tally, _)| of(tally)).sum()
    };
    let (requests, taken, read_back) =
        (sum(|tally| tally.requests), sum(|tally| tally.taken), sum(|tally| tally.read_back));
    println!(
        "{} operations, {places} places, {payloads} payloads: {requests} requests, of which \
         {taken} were taken, {read_back} values read back",
        outcomes.len()
    );
    let wrong: BTreeMap<String, Vec<String>> = outcomes
        .into_iter()
        .filter(|(.., wrong)| !wrong.is_empty())
        .map(|(id, _, _, wrong)| (id, wrong))
        .collect();
    for (id, wrong) in &wrong {
        eprintln!("{id}: {} wrong", wrong.len());
        wrong
            .iter()
            .take(6)
            .for_each(|wrong| eprintln!("    {}", wrong.chars().take(700).collect::<String>()));
    }
    assert!(wrong.is_empty(), "see above");
    assert!(taken > 1_000 && read_back > 1_000, "{taken} {read_back}");
}

/// True for operations that only an operator may ask for.
fn is_operators(operation: &Operation) -> bool {
    table::who(&operation.id) == Some(Who::Operator)
}
