/// The names that differ between SQL dialects, in one place; all other SQL text of this project is
/// what both SQLite and PostgreSQL take.
package enum SQLType {
    /// 64-bit integer (PostgreSQL: BIGINT).
    package static let integer = "INTEGER"
    package static let text = "TEXT"
    /// Byte string (PostgreSQL: BYTEA).
    package static let bytes = "BLOB"
    /// A key that the database numbers upward and never gives out twice
    /// (PostgreSQL: BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY).
    package static let sequence = "INTEGER PRIMARY KEY AUTOINCREMENT"
    /// After the closing parenthesis of a table: types are enforced (PostgreSQL: nothing).
    package static let strict = "STRICT"
    /// The same, stored in the order of the primary key (PostgreSQL: nothing).
    package static let clustered = "STRICT, WITHOUT ROWID"
}
