import SQLClient

/// The tables of corrections of single events.
enum CorrectionSchema {
    static let migration =
        [corrections, correctionsByEvent, correctionsByCustomer, correctionsPending]
        + adjustmentOrigins + [adjustmentsByCorrection]
}

/// `refusal` NULL: applied. What was removed and added is a customer, a time and a CloudEvent each.
private let corrections = """
    CREATE TABLE corrections (
        sequence \(SQLType.sequence),
        id \(SQLType.text) NOT NULL UNIQUE,
        number \(SQLType.integer) NOT NULL CHECK (number > 0),
        action \(SQLType.text) NOT NULL CHECK (action IN ('void', 'amend', 'restore')),
        event_source \(SQLType.text) NOT NULL,
        event_id \(SQLType.text) NOT NULL,
        reason \(SQLType.text) NOT NULL,
        actor \(SQLType.text) NOT NULL,
        customer \(SQLType.text) NOT NULL,
        event_partition \(SQLType.integer) NOT NULL,
        event_offset \(SQLType.integer) NOT NULL,
        removed_customer \(SQLType.text),
        removed_at \(SQLType.integer),
        removed_event \(SQLType.text),
        added_customer \(SQLType.text),
        added_at \(SQLType.integer),
        added_event \(SQLType.text),
        partition \(SQLType.integer) NOT NULL,
        record_offset \(SQLType.integer) NOT NULL,
        recorded_at \(SQLType.integer) NOT NULL,
        refusal \(SQLType.text),
        pending \(SQLType.integer) NOT NULL DEFAULT 0 CHECK (pending IN (0, 1))
    ) \(SQLType.strict)
    """

private let correctionsByEvent = """
    CREATE INDEX corrections_by_event ON corrections (event_id, event_source, number)
    """

private let correctionsByCustomer = """
    CREATE INDEX corrections_by_customer ON corrections (customer, sequence)
    """

private let correctionsPending = """
    CREATE INDEX corrections_pending ON corrections (sequence) WHERE pending = 1
    """

/// NULL in all of them: no correction made the adjustment.
private let adjustmentOrigins = [
    "correction_id", "correction_action", "correction_source", "correction_event_id",
    "correction_reason",
].map { "ALTER TABLE adjustments ADD COLUMN \($0) \(SQLType.text)" }

private let adjustmentsByCorrection = """
    CREATE UNIQUE INDEX adjustments_by_correction
    ON adjustments (correction_id, customer, meter, period_start, period_end)
    WHERE correction_id IS NOT NULL
    """
