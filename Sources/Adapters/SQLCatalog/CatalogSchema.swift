import SQLClient

/// The tables of `catalog.db`.
enum CatalogSchema {
    static let schema = SQLSchema(
        name: "the control plane",
        migrations: [
            [changes] + changesIndexes + [records, recordsByName, recordsLive]
                + [subjects, externalIDs, parents, parentsByParent, subscriptionPlans]
                + [answers, answersByAge, webhooks, imports, accessKeys, seatSessions, settings]
        ])
}

// MARK: the audit log and what follows from it

/// `document` is the canonical text that the hash is made over; the columns before it repeat
/// members of it for filters. No customer is the empty text.
private let changes = """
    CREATE TABLE changes (
        seq \(SQLType.integer) PRIMARY KEY,
        at \(SQLType.integer) NOT NULL,
        kind \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        actor \(SQLType.text) NOT NULL,
        request_id \(SQLType.text) NOT NULL,
        previous_hash \(SQLType.bytes) NOT NULL,
        hash \(SQLType.bytes) NOT NULL,
        document \(SQLType.text) NOT NULL
    ) \(SQLType.strict)
    """

/// Each ends in `seq`, so that a filtered page needs no sorting.
private let changesIndexes = [
    "CREATE INDEX changes_by_record ON changes (kind, id, seq)",
    "CREATE INDEX changes_by_customer ON changes (customer, seq)",
    "CREATE INDEX changes_by_request ON changes (request_id, seq)",
    "CREATE INDEX changes_by_actor ON changes (actor, seq)",
    "CREATE INDEX changes_by_time ON changes (at, seq)",
]

/// Clustered by customer, so that one customer's records, and everybody's at start-up, are read in
/// one sweep. `entries` is `[[seq, effective_at, patch], …]`, canonical. `is_live`: the record's
/// last change in time leaves it there.
private let records = """
    CREATE TABLE records (
        customer \(SQLType.text) NOT NULL,
        kind \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        revision \(SQLType.integer) NOT NULL,
        is_live \(SQLType.integer) NOT NULL CHECK (is_live IN (0, 1)),
        entries \(SQLType.text) NOT NULL,
        PRIMARY KEY (customer, kind, id)
    ) \(SQLType.clustered)
    """

private let recordsByName = "CREATE UNIQUE INDEX records_by_name ON records (kind, id)"

/// For counting.
private let recordsLive = "CREATE INDEX records_live ON records (kind) WHERE is_live = 1"

// MARK: indexes over the latest documents

private let subjects = """
    CREATE TABLE subjects (
        subject \(SQLType.text) NOT NULL PRIMARY KEY,
        customer \(SQLType.text) NOT NULL
    ) \(SQLType.clustered)
    """

private let externalIDs = """
    CREATE TABLE external_ids (
        system \(SQLType.text) NOT NULL,
        name \(SQLType.text) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        PRIMARY KEY (system, name)
    ) \(SQLType.clustered)
    """

private let parents = """
    CREATE TABLE parents (
        customer \(SQLType.text) NOT NULL PRIMARY KEY,
        parent \(SQLType.text) NOT NULL
    ) \(SQLType.clustered)
    """

private let parentsByParent = "CREATE INDEX parents_by_parent ON parents (parent, customer)"

private let subscriptionPlans = """
    CREATE TABLE subscription_plans (
        plan \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        version \(SQLType.integer),
        PRIMARY KEY (plan, id)
    ) \(SQLType.clustered)
    """

// MARK: small tables

private let answers = """
    CREATE TABLE answers (
        key \(SQLType.text) NOT NULL PRIMARY KEY,
        request_digest \(SQLType.text) NOT NULL,
        status \(SQLType.integer) NOT NULL,
        body \(SQLType.text) NOT NULL,
        entity_tag \(SQLType.text),
        at \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

private let answersByAge = "CREATE INDEX answers_by_age ON answers (at)"

/// `taken_at` is NULL until the first pruning sees the row: a commit carries no clock.
private let webhooks = """
    CREATE TABLE webhooks (
        source \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        taken_at \(SQLType.integer),
        PRIMARY KEY (source, id)
    ) \(SQLType.clustered)
    """

private let imports = """
    CREATE TABLE imports (
        id \(SQLType.text) NOT NULL PRIMARY KEY,
        state \(SQLType.text) NOT NULL CHECK (state IN ('running', 'done', 'rolled_back')),
        digest \(SQLType.text) NOT NULL,
        total \(SQLType.integer) NOT NULL,
        done \(SQLType.integer) NOT NULL,
        created \(SQLType.integer) NOT NULL,
        changed \(SQLType.integer) NOT NULL,
        unchanged \(SQLType.integer) NOT NULL,
        started_at \(SQLType.integer) NOT NULL,
        updated_at \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

/// `scopes` is a JSON array of words.
private let accessKeys = """
    CREATE TABLE access_keys (
        id \(SQLType.text) NOT NULL PRIMARY KEY,
        name \(SQLType.text) NOT NULL,
        digest \(SQLType.bytes) NOT NULL UNIQUE CHECK (length(digest) = 32),
        prefix \(SQLType.text) NOT NULL,
        last_four \(SQLType.text) NOT NULL,
        scopes \(SQLType.text) NOT NULL,
        customer \(SQLType.text),
        created_by \(SQLType.text) NOT NULL,
        created_at \(SQLType.integer) NOT NULL,
        expires_at \(SQLType.integer),
        revoked_at \(SQLType.integer)
    ) \(SQLType.clustered)
    """

private let seatSessions = """
    CREATE TABLE seat_sessions (
        customer \(SQLType.text) NOT NULL,
        feature \(SQLType.text) NOT NULL,
        holder \(SQLType.text) NOT NULL,
        expires_at \(SQLType.integer) NOT NULL,
        PRIMARY KEY (customer, feature, holder)
    ) \(SQLType.clustered)
    """

private let settings = """
    CREATE TABLE settings (
        name \(SQLType.text) NOT NULL PRIMARY KEY,
        value \(SQLType.text) NOT NULL
    ) \(SQLType.clustered)
    """
