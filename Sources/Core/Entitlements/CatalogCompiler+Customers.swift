import MeteringModel

extension CatalogCompiler {
    /// Levels of a tree of customers, the root included.
    static let levelsMax = 8

    mutating func compileCustomers(zone: (String) -> TimeZoneRules?) {
        let count = catalog.customers.count
        guard count <= ByteStringTable.entriesMax else {
            issues.add(["customers"], "at most \(ByteStringTable.entriesMax) customers")
            return
        }
        for index in 0..<count { registerCustomer(index) }
        let roots = findRoots()
        let empty = PlanShape(
            plan: nil, version: 0, entitlements: [:], templates: [],
            meterCount: catalog.meters.count,
            upgradeOfFeature: UpgradePaths(catalog.plans).hints(for: [:]))
        var zones: [String: TimeZoneRules?] = [:]
        parts.customers.reserveCapacity(count)
        for index in 0..<count {
            let customer = catalog.customers[index]
            let known = zones[customer.timeZone]
            let rules = known ?? zone(customer.timeZone)
            if known == nil { zones[customer.timeZone] = .some(rules) }
            if rules == nil {
                issues.add(
                    ["customers", String(index), "time_zone"],
                    "\"\(customer.timeZone)\" is not an IANA zone known here")
            }
            let shape = shape(of: customer, index) ?? empty
            parts.customers.append(
                CompiledCustomer(
                    id: customer.id, root: catalog.customers[roots[index]].id, zone: rules ?? .utc,
                    subscriptionStart: customer.subscription?.start,
                    firstQuota: parts.quotas.count, shape: shape))
            guard let start = customer.subscription?.start else { continue }
            for template in shape.templates {
                parts.quotas.append(template.quota(for: customer.id, start: start))
            }
        }
    }

    /// Enters the customer's id and its subjects in the look-up tables.
    private mutating func registerCustomer(_ index: Int) {
        let customer = catalog.customers[index]
        let id = customer.id.rawValue
        if checkID(id, at: ["customers", String(index), "id"]) {
            let known = parts.customerNumbers.insert(id, hash: hash.hash(id), number: index)
            if known != nil {
                issues.add(
                    ["customers", String(index), "id"], "there are two customers \"\(id)\"")
            }
        }
        for (number, subject) in customer.subjects.enumerated() {
            func place() -> [String] { ["customers", String(index), "subjects", String(number)] }
            guard parts.subjectNumbers.count < ByteStringTable.entriesMax else {
                issues.add(place(), "at most \(ByteStringTable.entriesMax) subjects")
                return
            }
            let name = subject.rawValue
            // The path is made only for an issue: this loop runs a million times.
            guard !name.isEmpty, name.utf8.count <= ByteStringTable.nameBytesMax,
                !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            else {
                _ = checkID(name, at: place())
                continue
            }
            let known = parts.subjectNumbers.insert(name, hash: hash.hash(name), number: index)
            guard let known else { continue }
            let owner = catalog.customers[known].id
            issues.add(
                place(),
                known == index
                    ? "the subject \"\(name)\" is there twice"
                    : "the subject \"\(name)\" belongs to customer \"\(owner)\" already")
        }
    }

    private mutating func shape(of customer: CustomerDefinition, _ index: Int) -> PlanShape? {
        guard let plan = customer.subscription?.plan else { return nil }
        if let shape = shapes[plan] { return shape }
        let hint = NearestKey.hint(for: plan.rawValue, in: catalog.plans.map(\.key.rawValue))
        issues.add(
            ["customers", String(index), "subscription", "plan"],
            "there is no plan \"\(plan)\"\(hint)")
        return nil
    }

    /// The topmost parent of each customer, by position. Each customer is visited once.
    private mutating func findRoots() -> [Int] {
        let parents = catalog.customers.indices.map { parent(of: $0) }
        var roots = Array(parents.indices)
        /// 0: not visited · −1: on the way up from the current one · else the level, the root's is 1.
        var levels = [Int](repeating: 0, count: parents.count)
        for index in parents.indices where levels[index] == 0 {
            var way: [Int] = []
            var next: Int? = index
            while let current = next, levels[current] == 0 {
                way.append(current)
                levels[current] = -1
                next = parents[current]
            }
            var level = 0
            var root = way[way.count - 1]
            if let met = next {
                if levels[met] == -1 { reportCycle(from: met, way) }
                level = max(levels[met], 0)
                root = roots[met]
            }
            for member in way.reversed() {
                level += 1
                levels[member] = level
                roots[member] = root
                if level == Self.levelsMax + 1 {
                    issues.add(
                        ["customers", String(member), "parent"],
                        "customers nest at most \(Self.levelsMax) levels deep")
                }
            }
        }
        return roots
    }

    private mutating func reportCycle(from current: Int, _ way: [Int]) {
        let start = way.firstIndex(of: current) ?? 0
        let names = (way[start...].prefix(10) + [current]).map { catalog.customers[$0].id.rawValue }
        issues.add(
            ["customers", String(current), "parent"],
            "a customer must not be its own ancestor: \(names.joined(separator: " → "))")
    }

    /// The position of the parent; reports one that does not exist.
    private mutating func parent(of index: Int) -> Int? {
        guard let id = catalog.customers[index].parent else { return nil }
        let name = id.rawValue
        // SAFETY: the span is read while `name` is alive.
        let found = unsafe parts.customerNumbers.number(
            hash: hash.hash(name), name.utf8Span.span.bytes)
        if found == nil {
            issues.add(
                ["customers", String(index), "parent"], "there is no customer \"\(name)\"")
        }
        return found
    }
}
