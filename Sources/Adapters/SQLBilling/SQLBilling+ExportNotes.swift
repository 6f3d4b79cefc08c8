package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLBilling: ExportStore {
    package func note(_ export: StatementExportNote) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            let insert = try connection.statement(
                """
                INSERT INTO export_notes (format, month, customer, digest, line_count, first_line,
                    last_line, exported_by, exported_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """)
            try insert.bind(export.format, at: 1)
            try insert.bind(Int64(export.month.count), at: 2)
            try insert.bind(export.customer?.rawValue ?? "", at: 3)
            try insert.bind(export.digest, at: 4)
            try insert.bind(Int64(export.lineCount), at: 5)
            try insert.bind(optional: export.firstLine, at: 6)
            try insert.bind(optional: export.lastLine, at: 7)
            try insert.bind(export.by, at: 8)
            try insert.bind(export.at.microseconds, at: 9)
            try insert.run()
        }
    }

    package func exportNotes(
        month: BillingMonth?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [(sequence: Int64, note: StatementExportNote)] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT sequence, format, month, customer, digest, line_count, first_line,
                    last_line, exported_by, exported_at
                FROM export_notes WHERE sequence > $1 \(month == nil ? "" : "AND month = $2")
                ORDER BY sequence LIMIT $\(month == nil ? 2 : 3)
                """)
            try query.bind(sequence, at: 1)
            if let month { try query.bind(Int64(month.count), at: 2) }
            try query.bind(Int64(max(0, limit)), at: month == nil ? 2 : 3)
            return try query.rows { row throws(SQLError) in
                let customer = row.string(at: 3)
                return (
                    sequence: row.integer(at: 0),
                    note: StatementExportNote(
                        format: row.string(at: 1), month: row.month(at: 2),
                        customer: customer.isEmpty ? nil : CustomerID(customer),
                        digest: row.string(at: 4), lineCount: Int(row.integer(at: 5)),
                        firstLine: row.optionalString(at: 6), lastLine: row.optionalString(at: 7),
                        by: row.string(at: 8), at: row.timestamp(at: 9))
                )
            }
        }
    }
}
