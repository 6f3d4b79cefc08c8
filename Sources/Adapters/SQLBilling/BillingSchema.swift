import SQLClient

/// The tables of `billing.db`.
enum BillingSchema {
    static let schema = SQLSchema(
        name: "billing",
        migrations: [
            [statements, statementsByCustomer, statementsByMonth]
                + [lines, linesByID, linesByCorrection]
                + [pendingLines, pendingLinesByCustomer]
                + [marks, marksByDue, cursors, closedMonths, answers],
            ExportSchema.tables,
        ])
}

/// Months are counted since the year 0 (`BillingMonth.count`). `totals` is `{currency: amount}`.
private let statements = """
    CREATE TABLE statements (
        sequence \(SQLType.sequence),
        customer \(SQLType.text) NOT NULL,
        month \(SQLType.integer) NOT NULL,
        zone \(SQLType.text) NOT NULL,
        period_start \(SQLType.integer) NOT NULL,
        period_end \(SQLType.integer) NOT NULL,
        closed_at \(SQLType.integer) NOT NULL,
        closed_by \(SQLType.text) NOT NULL,
        reason \(SQLType.text),
        revision \(SQLType.integer) NOT NULL,
        line_count \(SQLType.integer) NOT NULL,
        totals \(SQLType.text) NOT NULL,
        CHECK (period_start < period_end)
    ) \(SQLType.strict)
    """

/// What closes a month of a customer once.
private let statementsByCustomer = """
    CREATE UNIQUE INDEX statements_by_customer ON statements (customer, month)
    """

private let statementsByMonth = "CREATE INDEX statements_by_month ON statements (month, customer)"

/// What both tables of lines have. `corrects_month` and what follows it: adjustments only;
/// `causes` is `[[kind, id, at], …]`.
private let lineColumns = """
    id \(SQLType.text) NOT NULL,
    customer \(SQLType.text) NOT NULL,
    kind \(SQLType.text) NOT NULL,
    line_key \(SQLType.text) NOT NULL,
    feature \(SQLType.text),
    meter \(SQLType.text),
    item \(SQLType.text),
    subscription \(SQLType.text),
    period_start \(SQLType.integer) NOT NULL,
    period_end \(SQLType.integer) NOT NULL,
    charged_from \(SQLType.integer) NOT NULL,
    charged_to \(SQLType.integer) NOT NULL,
    quantity \(SQLType.integer) NOT NULL,
    scale \(SQLType.integer) NOT NULL,
    currency \(SQLType.text) NOT NULL,
    amount \(SQLType.integer) NOT NULL,
    document \(SQLType.text) NOT NULL,
    corrects_month \(SQLType.integer),
    amount_before \(SQLType.integer),
    amount_after \(SQLType.integer),
    quantity_before \(SQLType.integer),
    quantity_after \(SQLType.integer),
    causes \(SQLType.text),
    CHECK ((kind = 'adjustment') = (corrects_month IS NOT NULL))
    """

/// Rows are only ever inserted: what was billed stays as it was billed.
private let lines = """
    CREATE TABLE lines (
        month \(SQLType.integer) NOT NULL,
        position \(SQLType.integer) NOT NULL,
        \(lineColumns),
        PRIMARY KEY (customer, month, position)
    ) \(SQLType.clustered)
    """

private let linesByID = "CREATE UNIQUE INDEX lines_by_id ON lines (id)"

private let linesByCorrection = """
    CREATE INDEX lines_by_correction ON lines (customer, corrects_month)
    WHERE corrects_month IS NOT NULL
    """

/// Adjustments that wait for the next statement; a row moves to `lines` when that is closed.
private let pendingLines = """
    CREATE TABLE pending_lines (
        sequence \(SQLType.sequence),
        \(lineColumns)
    ) \(SQLType.strict)
    """

private let pendingLinesByCustomer = """
    CREATE INDEX pending_lines_by_customer ON pending_lines (customer, sequence)
    """

/// A cause that is noted again gets a new sequence, so that what was settled before it stays
/// apart from it.
private let marks = """
    CREATE TABLE marks (
        sequence \(SQLType.sequence),
        customer \(SQLType.text) NOT NULL,
        month \(SQLType.integer) NOT NULL,
        kind \(SQLType.text) NOT NULL,
        id \(SQLType.text) NOT NULL,
        at \(SQLType.integer) NOT NULL,
        due_at \(SQLType.integer) NOT NULL,
        UNIQUE (customer, month, kind, id)
    ) \(SQLType.strict)
    """

private let marksByDue = "CREATE INDEX marks_by_due ON marks (due_at, sequence)"

private let cursors = """
    CREATE TABLE cursors (
        name \(SQLType.text) NOT NULL PRIMARY KEY,
        value \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

private let closedMonths = """
    CREATE TABLE closed_months (
        zone \(SQLType.text) NOT NULL PRIMARY KEY,
        month \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

private let answers = """
    CREATE TABLE answers (
        key \(SQLType.text) NOT NULL PRIMARY KEY,
        request_digest \(SQLType.text) NOT NULL,
        status \(SQLType.integer) NOT NULL,
        body \(SQLType.text) NOT NULL,
        at \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """
