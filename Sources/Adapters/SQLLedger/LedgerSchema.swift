import SQLClient

/// The ledger's tables.
///
/// Usage and rollups are clustered by time first: a commit writes to the current period and hour
/// only, so it dirties few pages however long the history is, and old periods go cold.
enum LedgerSchema {
    static let schema = SQLSchema(
        name: "the ledger",
        migrations: [
            [usage, rollups, dedupeBlocks, dedupeBlocksByAge, positions]
                + [crossings, crossingsUndelivered, crossingsByCustomer, setAside, setAsidePending]
                + [admissions, admissionsByTime, reservations, reservationsOpen]
                + [adjustments, catalogs, planVersions, secrets],
            adjustmentCauses + [adjustmentsByCause, adjustmentsByCustomer, crossingsByPeriod],
            monthRollups,
            [crossingChanges, pastReachedAndResolved],
            CorrectionSchema.migration,
            rollupsComparedByValue,
        ])
}

// MARK: usage

/// STRICT columns refuse the REAL that an overflowing integer sum becomes in SQLite: an overflow
/// undoes the commit instead of rounding the bill.
private let usage = """
    CREATE TABLE usage (
        period_end \(SQLType.integer) NOT NULL,
        period_start \(SQLType.integer) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        aggregation \(SQLType.text) NOT NULL,
        count \(SQLType.integer) NOT NULL CHECK (count >= 0),
        value \(SQLType.integer) NOT NULL,
        admitted \(SQLType.integer) NOT NULL,
        ordered_at \(SQLType.integer),
        distinct_members \(SQLType.bytes),
        PRIMARY KEY (period_end, period_start, customer, meter),
        CHECK (period_start < period_end)
    ) \(SQLType.clustered)
    """

private let rollups = """
    CREATE TABLE rollups (
        rollup_window \(SQLType.text) NOT NULL CHECK (rollup_window IN ('hour', 'day')),
        window_start \(SQLType.integer) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        dimensions \(SQLType.text) NOT NULL,
        aggregation \(SQLType.text) NOT NULL,
        count \(SQLType.integer) NOT NULL CHECK (count >= 0),
        value \(SQLType.integer) NOT NULL,
        ordered_at \(SQLType.integer),
        distinct_members \(SQLType.bytes),
        PRIMARY KEY (rollup_window, window_start, customer, meter, dimensions)
    ) \(SQLType.clustered)
    """

// MARK: log positions and dedupe

private let positions = """
    CREATE TABLE positions (
        partition \(SQLType.integer) PRIMARY KEY,
        epoch \(SQLType.integer) NOT NULL CHECK (epoch > 0),
        next_offset \(SQLType.integer) NOT NULL CHECK (next_offset >= 0),
        complete_to \(SQLType.integer)
    ) \(SQLType.strict)
    """

/// `marks` packs 16 bytes per mark: fingerprint, then offset, both little-endian.
private let dedupeBlocks = """
    CREATE TABLE dedupe_blocks (
        sequence \(SQLType.sequence),
        partition \(SQLType.integer) NOT NULL,
        first_offset \(SQLType.integer) NOT NULL,
        next_offset \(SQLType.integer) NOT NULL CHECK (next_offset > first_offset),
        appended_at \(SQLType.integer) NOT NULL,
        marks \(SQLType.bytes) NOT NULL
    ) \(SQLType.strict)
    """

private let dedupeBlocksByAge = """
    CREATE INDEX dedupe_blocks_by_age ON dedupe_blocks (partition, appended_at, first_offset)
    """

// MARK: what became of events

private let crossings = """
    CREATE TABLE crossings (
        sequence \(SQLType.sequence),
        id \(SQLType.text) NOT NULL UNIQUE,
        customer \(SQLType.text) NOT NULL,
        feature \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        period_start \(SQLType.integer) NOT NULL,
        period_end \(SQLType.integer) NOT NULL,
        threshold_kind \(SQLType.text) NOT NULL CHECK (threshold_kind IN ('share', 'absolute')),
        threshold_level \(SQLType.integer) NOT NULL,
        limit_units \(SQLType.integer),
        used_before \(SQLType.integer) NOT NULL,
        used_after \(SQLType.integer) NOT NULL,
        scale \(SQLType.integer) NOT NULL,
        source \(SQLType.text) NOT NULL,
        crossed_at \(SQLType.integer) NOT NULL,
        resolved_at \(SQLType.integer),
        delivered \(SQLType.integer) NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1))
    ) \(SQLType.strict)
    """

private let crossingsUndelivered = """
    CREATE INDEX crossings_undelivered ON crossings (sequence) WHERE delivered = 0
    """

private let crossingsByCustomer = """
    CREATE INDEX crossings_by_customer ON crossings (customer, sequence)
    """

private let setAside = """
    CREATE TABLE set_aside (
        sequence \(SQLType.sequence),
        kind \(SQLType.text) NOT NULL CHECK (kind IN ('dead_letter', 'quarantine')),
        partition \(SQLType.integer) NOT NULL,
        record_offset \(SQLType.integer) NOT NULL,
        appended_at \(SQLType.integer) NOT NULL,
        reason \(SQLType.text) NOT NULL,
        detail \(SQLType.text) NOT NULL,
        subject \(SQLType.text) NOT NULL,
        headers \(SQLType.bytes) NOT NULL,
        payload \(SQLType.bytes) NOT NULL,
        redriven \(SQLType.integer) NOT NULL DEFAULT 0 CHECK (redriven IN (0, 1)),
        UNIQUE (partition, record_offset)
    ) \(SQLType.strict)
    """

/// With the reason, so that counting by reason reads no payloads.
private let setAsidePending = """
    CREATE INDEX set_aside_pending ON set_aside (kind, sequence, reason) WHERE redriven = 0
    """

private let admissions = """
    CREATE TABLE admissions (
        customer \(SQLType.text) NOT NULL,
        feature \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        quantity \(SQLType.integer) NOT NULL,
        admitted_at \(SQLType.integer) NOT NULL,
        answer \(SQLType.text) NOT NULL,
        PRIMARY KEY (customer, feature, id)
    ) \(SQLType.clustered)
    """

private let admissionsByTime = """
    CREATE INDEX admissions_by_time ON admissions (admitted_at)
    """

private let reservations = """
    CREATE TABLE reservations (
        id \(SQLType.text) NOT NULL PRIMARY KEY,
        customer \(SQLType.text) NOT NULL,
        feature \(SQLType.text) NOT NULL,
        quantity \(SQLType.integer) NOT NULL,
        period_start \(SQLType.integer) NOT NULL,
        period_end \(SQLType.integer) NOT NULL,
        expires_at \(SQLType.integer) NOT NULL,
        state \(SQLType.text) NOT NULL
            CHECK (state IN ('open', 'committed', 'released', 'expired')),
        committed \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

private let reservationsOpen = """
    CREATE INDEX reservations_open ON reservations (expires_at) WHERE state = 'open'
    """

private let adjustments = """
    CREATE TABLE adjustments (
        sequence \(SQLType.sequence),
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        period_start \(SQLType.integer) NOT NULL,
        period_end \(SQLType.integer) NOT NULL,
        count \(SQLType.integer) NOT NULL,
        value \(SQLType.integer) NOT NULL,
        recorded_at \(SQLType.integer) NOT NULL
    ) \(SQLType.strict)
    """

/// NULL in all of them: late usage.
private let adjustmentCauses = [
    "request_id \(SQLType.text)", "feature \(SQLType.text)", "scale \(SQLType.integer)",
    "limit_before \(SQLType.text)", "limit_after \(SQLType.text)",
    "overage_before \(SQLType.integer)", "overage_after \(SQLType.integer)",
].map { "ALTER TABLE adjustments ADD COLUMN \($0)" }

private let adjustmentsByCause = """
    CREATE UNIQUE INDEX adjustments_by_cause
    ON adjustments (request_id, customer, feature, period_start, period_end)
    WHERE request_id IS NOT NULL
    """

private let adjustmentsByCustomer = """
    CREATE INDEX adjustments_by_customer ON adjustments (customer, sequence)
    """

private let crossingsByPeriod = """
    CREATE INDEX crossings_by_period ON crossings (customer, period_end)
    """

/// The outbox of crossings. `crossing` is the sequence of one, `ordinal` counts its changes.
private let crossingChanges = """
    CREATE TABLE crossing_changes (
        sequence \(SQLType.sequence),
        crossing \(SQLType.integer) NOT NULL REFERENCES crossings (sequence),
        kind \(SQLType.text) NOT NULL CHECK (kind IN ('reached', 'resolved', 'reopened')),
        ordinal \(SQLType.integer) NOT NULL CHECK (ordinal > 0),
        changed_at \(SQLType.integer) NOT NULL,
        UNIQUE (crossing, ordinal)
    ) \(SQLType.strict)
    """

/// What was recorded before there was a feed, as far as it is known: a crossing that was open
/// again has forgotten that it had been resolved.
private let pastReachedAndResolved = """
    INSERT INTO crossing_changes (crossing, kind, ordinal, changed_at)
    SELECT sequence, 'reached', 1, crossed_at FROM crossings
    UNION ALL
    SELECT sequence, 'resolved', 2, resolved_at FROM crossings WHERE resolved_at IS NOT NULL
    ORDER BY 4, 1, 3
    """

// MARK: control

/// Written by earlier versions; the control plane has a store of its own since.
private let catalogs = """
    CREATE TABLE catalogs (
        revision \(SQLType.sequence),
        document \(SQLType.text) NOT NULL,
        applied_at \(SQLType.integer) NOT NULL
    ) \(SQLType.strict)
    """

private let planVersions = """
    CREATE TABLE plan_versions (
        plan \(SQLType.text) NOT NULL,
        version \(SQLType.integer) NOT NULL CHECK (version > 0),
        digest \(SQLType.text) NOT NULL,
        PRIMARY KEY (plan, version),
        UNIQUE (plan, digest)
    ) \(SQLType.strict)
    """

private let secrets = """
    CREATE TABLE secrets (
        name \(SQLType.text) NOT NULL PRIMARY KEY,
        value \(SQLType.bytes) NOT NULL
    ) \(SQLType.strict)
    """
