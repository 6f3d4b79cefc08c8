extension SQLStatement {
    /// All rows, each made into a value; the statement is reset afterwards.
    package func rows<Row>(
        _ make: (SQLStatement) throws(SQLError) -> Row
    ) throws(SQLError) -> [Row] {
        defer { reset() }
        var rows: [Row] = []
        while try step() { rows.append(try make(self)) }
        return rows
    }

    package func optionalString(at column: Int32) -> String? {
        isNull(at: column) ? nil : string(at: column)
    }

    /// Nil binds NULL.
    package func bind(optional text: String?, at index: Int32) throws(SQLError) {
        if let text { try bind(text, at: index) } else { try bindNull(at: index) }
    }
}
