import MeteringModel

/// Whose a subject, an external id or a child is, among the customers that a draft wrote: imports
/// ask for each of a thousand.
struct WrittenCustomers {
    private struct Names {
        var subjects: [String] = []
        var external: [String] = []
        var parent: CustomerID?
    }

    private var names: [CustomerID: Names] = [:]
    private var subjects: [String: CustomerID] = [:]
    private var external: [String: CustomerID] = [:]
    private var children: [CustomerID: Set<CustomerID>] = [:]

    /// Takes in a customer as its last change in time leaves it; nil: it is gone then.
    mutating func take(_ customer: CustomerID, _ document: JSONValue?) {
        if let old = names[customer] {
            for name in old.subjects where subjects[name] == customer { subjects[name] = nil }
            for name in old.external where external[name] == customer { external[name] = nil }
            if let parent = old.parent { children[parent]?.remove(customer) }
        }
        var new = Names()
        new.subjects = (document?["subjects"]?.elements ?? []).compactMap {
            $0.text ?? $0["id"]?.text
        }
        for (system, name) in document?["external_ids"]?.object ?? [:] {
            if let name = name.text { new.external.append(Self.key(system, name)) }
        }
        new.parent = document?["parent"]?.text.map { CustomerID($0) }
        for name in new.subjects { subjects[name] = customer }
        for name in new.external { external[name] = customer }
        if let parent = new.parent { children[parent, default: []].insert(customer) }
        names[customer] = new
    }

    func has(_ customer: CustomerID) -> Bool { names[customer] != nil }
    func owner(ofSubject subject: String) -> CustomerID? { subjects[subject] }
    func owner(ofExternal name: String, in system: String) -> CustomerID? {
        external[Self.key(system, name)]
    }
    func children(of customer: CustomerID) -> Set<CustomerID> { children[customer] ?? [] }

    private static func key(_ system: String, _ name: String) -> String {
        RecordNames.joined([system, name])
    }
}
