import SQLClient

extension LedgerSchema {
    /// Rollups of months, what is known about rollups that are gone, and sets of dimension values.
    /// SQL knows no time zones, so months of history are filled in later (`fillMonths`).
    static let monthRollups = [
        rollupsWithMonths,
        "INSERT INTO rollups_with_months SELECT * FROM rollups",
        "DROP TABLE rollups",
        "ALTER TABLE rollups_with_months RENAME TO rollups",
        rollupMarks,
        """
        INSERT INTO rollup_marks (name, at)
        SELECT '\(RollupMark.monthsMissing.rawValue)', 0 WHERE EXISTS (SELECT 1 FROM rollups)
        """,
        dimensionSets,
    ]

    /// The same table with a check that compares. SQLite looks a list of three values up in a table
    /// that it makes for each row written: half as many rows per second.
    static let rollupsComparedByValue = [
        rollupsCompared,
        "INSERT INTO rollups_compared SELECT * FROM rollups",
        "DROP TABLE rollups",
        "ALTER TABLE rollups_compared RENAME TO rollups",
    ]
}

/// What `rollup_marks` says about the rollups.
enum RollupMark: String {
    /// Days were counted by a version that made no months.
    case monthsMissing = "months_missing"
    /// As in `RollupsKept`.
    case hoursFrom = "hours_from"
    case daysFrom = "days_from"
    case cutFrom = "cut_from"
}

private let rollupsWithMonths = """
    CREATE TABLE rollups_with_months (
        rollup_window \(SQLType.text) NOT NULL CHECK (rollup_window IN ('hour', 'day', 'month')),
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

private let rollupsCompared = """
    CREATE TABLE rollups_compared (
        rollup_window \(SQLType.text) NOT NULL CHECK (
            rollup_window = 'hour' OR rollup_window = 'day' OR rollup_window = 'month'),
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

private let rollupMarks = """
    CREATE TABLE rollup_marks (
        name \(SQLType.text) NOT NULL PRIMARY KEY,
        at \(SQLType.integer) NOT NULL
    ) \(SQLType.clustered)
    """

private let dimensionSets = """
    CREATE TABLE dimension_sets (
        month \(SQLType.integer) NOT NULL,
        meter \(SQLType.text) NOT NULL,
        hash \(SQLType.integer) NOT NULL,
        PRIMARY KEY (month, meter, hash)
    ) \(SQLType.clustered)
    """
