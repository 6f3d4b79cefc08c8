package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLCatalog: ControlStore {
    package func record(
        _ kind: RecordKind, _ id: String
    ) throws(ControlStoreError) -> RecordHistory? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(recordText)
            try query.bind(kind.rawValue, at: 1)
            try query.bind(id, at: 2)
            return try query.rows { (row) throws(SQLError) in try RecordHistory(row: row) }.first
        }
    }

    /// Deleted records are among them: they still have a past. Ids are ordered by their bytes.
    package func records(
        _ kind: RecordKind, customer: CustomerID?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory] {
        try store.read { (connection) throws(SQLError) in
            let only = customer == nil ? "" : "AND customer = $3"
            let query = try connection.statement(
                """
                SELECT \(RecordRow.columns) FROM records
                WHERE kind = $1 AND id > $2 \(only)
                ORDER BY id LIMIT \(customer == nil ? "$3" : "$4")
                """)
            try query.bind(kind.rawValue, at: 1)
            try query.bind(after ?? "", at: 2)
            if let customer { try query.bind(customer.rawValue, at: 3) }
            try query.bind(Int64(max(0, limit)), at: customer == nil ? 3 : 4)
            return try query.rows { (row) throws(SQLError) in try RecordHistory(row: row) }
        }
    }

    /// In the order of kind, then id; deleted ones are among them.
    package func contract(
        of customer: CustomerID
    ) throws(ControlStoreError) -> [RecordHistory] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(RecordRow.columns) FROM records
                WHERE customer = $1 AND kind IN (\(contractKinds)) ORDER BY kind, id
                """)
            try query.bind(customer.rawValue, at: 1)
            return try query.rows { (row) throws(SQLError) in try RecordHistory(row: row) }
        }
    }

    /// One query in all; customers are ordered by the bytes of their ids.
    package func scanContracts(
        _ body: (CustomerID, [RecordHistory]) -> Void
    ) throws(ControlStoreError) {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(RecordRow.columns) FROM records
                WHERE customer > '' AND kind IN (\(contractKinds)) ORDER BY customer, kind, id
                """)
            defer { query.reset() }
            var customer: CustomerID?
            var contract: [RecordHistory] = []
            while try query.step() {
                let record = try RecordHistory(row: query)
                if let customer, record.customer?.rawValue.isSameText(customer.rawValue) != true {
                    body(customer, contract)
                    contract.removeAll(keepingCapacity: true)
                }
                customer = record.customer
                contract.append(record)
            }
            if let customer { body(customer, contract) }
        }
    }

    package func customer(
        externalSystem: String, name: String
    ) throws(ControlStoreError) -> CustomerID? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT customer FROM external_ids WHERE system = $1 AND name = $2")
            try query.bind(externalSystem, at: 1)
            try query.bind(name, at: 2)
            return try query.rows { CustomerID($0.string(at: 0)) }.first
        }
    }

    /// Who has a name in another system, by that name; those behind `after`.
    package func customers(
        externalSystem: String, after: String, limit: Int
    ) throws(ControlStoreError) -> [(name: String, customer: CustomerID)] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT name, customer FROM external_ids WHERE system = $1 AND name > $2
                ORDER BY name LIMIT $3
                """)
            try query.bind(externalSystem, at: 1)
            try query.bind(after, at: 2)
            try query.bind(Int64(max(0, limit)), at: 3)
            return try query.rows {
                (name: $0.string(at: 0), customer: CustomerID($0.string(at: 1)))
            }
        }
    }

    package func customer(
        ofSubject subject: SubjectID
    ) throws(ControlStoreError) -> CustomerID? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT customer FROM subjects WHERE subject = $1")
            try query.bind(subject.rawValue, at: 1)
            return try query.rows { CustomerID($0.string(at: 0)) }.first
        }
    }

    package func children(of customer: CustomerID) throws(ControlStoreError) -> [CustomerID] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT customer FROM parents WHERE parent = $1 ORDER BY customer")
            try query.bind(customer.rawValue, at: 1)
            return try query.rows { CustomerID($0.string(at: 0)) }
        }
    }

    package func subscriptions(
        plan: PlanKey, version: Int?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory] {
        try store.read { (connection) throws(SQLError) in
            let only = version == nil ? "" : "AND p.version = $3"
            let query = try connection.statement(
                """
                SELECT r.kind, r.id, r.customer, r.revision, r.entries
                FROM subscription_plans AS p
                CROSS JOIN records AS r ON r.kind = 'subscription' AND r.id = p.id
                WHERE p.plan = $1 AND p.id > $2 \(only)
                ORDER BY p.id LIMIT \(version == nil ? "$3" : "$4")
                """)
            try query.bind(plan.rawValue, at: 1)
            try query.bind(after ?? "", at: 2)
            if let version { try query.bind(Int64(version), at: 3) }
            try query.bind(Int64(max(0, limit)), at: version == nil ? 3 : 4)
            return try query.rows { (row) throws(SQLError) in try RecordHistory(row: row) }
        }
    }

    /// Records that their last change in time leaves there; deleted ones do not count.
    package func count(_ kind: RecordKind) throws(ControlStoreError) -> Int {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT count(*) FROM records WHERE kind = $1 AND is_live = 1")
            try query.bind(kind.rawValue, at: 1)
            return Int(try query.rows { $0.integer(at: 0) }.first ?? 0)
        }
    }
}

extension String {
    /// Equality of bytes, which is the database's; `==` takes composed and decomposed letters for
    /// the same.
    func isSameText(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

private let contractKinds = RecordKind.contract.map { "'\($0.rawValue)'" }.joined(separator: ", ")
