import SQLClient

/// The tables of `billing.db` that say what was told to billing systems outside.
enum ExportSchema {
    static let tables =
        [meterEvents, meterEventsDue, meterEventsByPair, meterEventsByState, meterEventsByCustomer]
        + [meterAccounts, meterCredits, exportNotes, exportNotesByMonth]
}

/// One row is one amount that Stripe is told once. Amount and identifier never change; the columns
/// from `state` on say what became of it.
private let meterEvents = """
    CREATE TABLE meter_events (
        sequence \(SQLType.sequence),
        identifier \(SQLType.text) NOT NULL UNIQUE,
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        window_start \(SQLType.integer) NOT NULL,
        window_end \(SQLType.integer) NOT NULL,
        revision \(SQLType.integer) NOT NULL,
        stripe_customer \(SQLType.text) NOT NULL,
        event_name \(SQLType.text) NOT NULL,
        value \(SQLType.integer) NOT NULL,
        planned_at \(SQLType.integer) NOT NULL,
        state \(SQLType.text) NOT NULL,
        event_time \(SQLType.integer),
        call_count \(SQLType.integer) NOT NULL,
        first_call_at \(SQLType.integer),
        unknown_since \(SQLType.integer),
        due_at \(SQLType.integer) NOT NULL,
        answer \(SQLType.text),
        settled_at \(SQLType.integer),
        resolved_as \(SQLType.text),
        resolved_by \(SQLType.text),
        resolved_reason \(SQLType.text),
        resolved_at \(SQLType.integer),
        replaced_by \(SQLType.text),
        UNIQUE (customer, meter, window_start, revision),
        CHECK (window_start < window_end AND value > 0 AND revision > 0),
        CHECK (length(identifier) <= 100),
        CHECK (state IN ('planned', 'sent', 'uncertain', 'refused', 'too_old', 'replaced'))
    ) \(SQLType.strict)
    """

private let meterEventsDue = """
    CREATE INDEX meter_events_due ON meter_events (due_at, window_start, sequence)
    WHERE state = 'planned'
    """

private let meterEventsByPair = """
    CREATE INDEX meter_events_by_pair ON meter_events (customer, meter, sequence)
    """

private let meterEventsByState =
    "CREATE INDEX meter_events_by_state ON meter_events (state, sequence)"

private let meterEventsByCustomer = """
    CREATE INDEX meter_events_by_customer ON meter_events (customer, sequence)
    """

private let meterAccounts = """
    CREATE TABLE meter_accounts (
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        counted_from \(SQLType.integer) NOT NULL,
        month \(SQLType.integer) NOT NULL,
        rest \(SQLType.integer) NOT NULL,
        PRIMARY KEY (customer, meter)
    ) \(SQLType.clustered)
    """

private let meterCredits = """
    CREATE TABLE meter_credits (
        customer \(SQLType.text) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        month \(SQLType.integer) NOT NULL,
        units \(SQLType.integer) NOT NULL CHECK (units > 0),
        PRIMARY KEY (customer, meter, month)
    ) \(SQLType.clustered)
    """

/// Rows are only ever inserted. No customer is the empty text.
private let exportNotes = """
    CREATE TABLE export_notes (
        sequence \(SQLType.sequence),
        format \(SQLType.text) NOT NULL,
        month \(SQLType.integer) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        digest \(SQLType.text) NOT NULL,
        line_count \(SQLType.integer) NOT NULL,
        first_line \(SQLType.text),
        last_line \(SQLType.text),
        exported_by \(SQLType.text) NOT NULL,
        exported_at \(SQLType.integer) NOT NULL
    ) \(SQLType.strict)
    """

private let exportNotesByMonth =
    "CREATE INDEX export_notes_by_month ON export_notes (month, sequence)"
