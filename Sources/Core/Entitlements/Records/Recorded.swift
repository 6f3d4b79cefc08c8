package import MeteringModel

/// A record's terms with what is kept beside them: its id, whose it is, and what manages it.
package struct Recorded<Terms: Hashable & Sendable>: Hashable, Sendable {
    package var id: String?
    /// Nil for customers themselves.
    package var customer: CustomerID?
    /// The document or system that made it and may change it: `catalog`, `stripe`, …
    package var managedBy: String?
    /// What other systems keep with a subscription; means nothing here.
    package var metadata: [String: String]
    package var terms: Terms

    package init(
        id: String?, customer: CustomerID? = nil, managedBy: String? = nil,
        metadata: [String: String] = [:], terms: Terms
    ) {
        self.id = id
        self.customer = customer
        self.managedBy = managedBy
        self.metadata = metadata
        self.terms = terms
    }

    init(_ owner: RecordReader.Owner, _ terms: Terms) {
        self.init(
            id: owner.id, customer: owner.customer, managedBy: owner.managedBy, terms: terms)
    }
}

/// A named seat that is taken.
package struct SeatRecord: Hashable, Sendable {
    package var customer: CustomerID
    package var feature: FeatureKey
    package var holder: String
    package var assignedAt: Timestamp

    package init(
        customer: CustomerID, feature: FeatureKey, holder: String, assignedAt: Timestamp
    ) {
        self.customer = customer
        self.feature = feature
        self.holder = holder
        self.assignedAt = assignedAt
    }

    /// The record's id. Length-prefixed, so no part can pose as two.
    package var id: String {
        [customer.rawValue, feature.rawValue, holder]
            .map { "\($0.utf8.count):\($0)" }.joined()
    }
}

/// A plan with all its versions, as its record holds them.
package struct StoredPlan: Hashable, Sendable {
    package var key: PlanKey
    /// By number, 1 first; never empty.
    package private(set) var versions: [PlanDefinition]

    init(key: PlanKey, versions: [PlanDefinition]) {
        self.key = key
        self.versions = versions
    }

    /// A new plan: `content` becomes version 1.
    package init(_ content: PlanDefinition) {
        var first = content
        first.version = 1
        self.init(key: content.key, versions: [first])
    }

    package var latest: PlanDefinition { versions[versions.count - 1] }

    package func version(_ number: Int) -> PlanDefinition? {
        versions.first { $0.version == number }
    }

    /// Makes `content` the latest version. What a plan gives never changes within a version, so
    /// other content adds one; the same content under another name renames the latest.
    /// - Returns: whether a version was added.
    @discardableResult
    package mutating func put(_ content: PlanDefinition) -> Bool {
        var next = content
        next.key = key
        next.version = latest.version
        if CatalogDiff.contentDigest(of: latest) == CatalogDiff.contentDigest(of: next) {
            versions[versions.count - 1] = next
            return false
        }
        next.version += 1
        versions.append(next)
        return true
    }
}
