import MeteringModel
import SQLClient

// The tables that lead from names inside a document to its record. They follow the latest
// document; a row goes only when it still belongs to the record that gives it up, so the order of
// two changes that pass a name on does not matter.

extension CatalogWriter {
    func indexCustomer(
        _ id: String, from old: JSONValue?, to new: JSONValue?
    ) throws(SQLError) {
        try indexSubjects(id, from: Self.subjects(of: old), to: Self.subjects(of: new))
        try indexExternalIDs(
            id, from: old?["external_ids"]?.object ?? [:], to: new?["external_ids"]?.object ?? [:])
        let parent = new?["parent"]?.text
        if let parent {
            try run(
                """
                INSERT INTO parents (customer, parent) VALUES ($1, $2)
                ON CONFLICT (customer) DO UPDATE SET parent = excluded.parent
                """, id, parent)
        } else if old?["parent"]?.text != nil {
            try run("DELETE FROM parents WHERE customer = $1", id)
        }
    }

    func indexSubscription(
        _ id: String, from old: JSONValue?, to new: JSONValue?
    ) throws(SQLError) {
        if let plan = old?["plan"]?.text {
            try run("DELETE FROM subscription_plans WHERE plan = $1 AND id = $2", plan, id)
        }
        guard let plan = new?["plan"]?.text else { return }
        let insert = try connection.statement(
            "INSERT OR REPLACE INTO subscription_plans (plan, id, version) VALUES ($1, $2, $3)")
        try insert.bind(plan, at: 1)
        try insert.bind(id, at: 2)
        try insert.bind(new?["version"]?.integer, at: 3)
        try insert.run()
    }

    private func indexSubjects(
        _ id: String, from old: [String], to new: [String]
    ) throws(SQLError) {
        if old.isEmpty, new.isEmpty { return }
        let kept = Set(new.map { Array($0.utf8) })
        for subject in old where !kept.contains(Array(subject.utf8)) {
            try run("DELETE FROM subjects WHERE subject = $1 AND customer = $2", subject, id)
        }
        for subject in new {
            try run(
                """
                INSERT INTO subjects (subject, customer) VALUES ($1, $2)
                ON CONFLICT (subject) DO UPDATE SET customer = excluded.customer
                """, subject, id)
        }
    }

    private func indexExternalIDs(
        _ id: String, from old: [String: JSONValue], to new: [String: JSONValue]
    ) throws(SQLError) {
        for (system, name) in old where new[system] != name {
            guard let name = name.text else { continue }
            try run(
                "DELETE FROM external_ids WHERE system = $1 AND name = $2 AND customer = $3",
                system, name, id)
        }
        for (system, name) in new {
            guard let name = name.text else { continue }
            try run(
                """
                INSERT INTO external_ids (system, name, customer) VALUES ($1, $2, $3)
                ON CONFLICT (system, name) DO UPDATE SET customer = excluded.customer
                """, system, name, id)
        }
    }

    /// A subject is its id, or an object that names the id.
    private static func subjects(of document: JSONValue?) -> [String] {
        (document?["subjects"]?.elements ?? []).compactMap { $0.text ?? $0["id"]?.text }
    }

    private func run(_ sql: String, _ parameters: String...) throws(SQLError) {
        let statement = try connection.statement(sql)
        for (index, parameter) in parameters.enumerated() {
            try statement.bind(parameter, at: Int32(index + 1))
        }
        try statement.run()
    }
}
