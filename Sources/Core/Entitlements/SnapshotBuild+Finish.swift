import MeteringModel

extension SnapshotBuild {
    /// What can be done only when all contracts are there.
    mutating func finish() {
        for (parent, place) in awaited where customers[parent].isRemoved {
            issues.add(
                place.profile("parent"), "there is no customer \"\(customers[parent].id)\"")
        }
        checkOrphans()
        for (number, place) in moved { checkTree(from: number, place) }
        // What follows relies on trees without cycles.
        if issues.isEmpty {
            for (base, environment, subjects) in twinsDue {
                _ = makeTwin(of: base, environment, subjects: subjects)
            }
        }
        for claim in claims { enter(claim) }
    }

    /// A customer that is another's parent now cannot go.
    private mutating func checkOrphans() {
        for number in touched where customers[number].isRemoved {
            for child in children[number] {
                let orphan = customers[Int(child)]
                if orphan.isRemoved || orphan.lastStep.parent != Int32(number) { continue }
                issues.add(
                    ContractPlace.record(customers[number].id).profile(),
                    "the customer is the parent of \"\(orphan.id)\"")
            }
        }
    }

    // MARK: depth and cycles

    /// Checks a customer whose parents changed, and all below it.
    private mutating func checkTree(from number: Int, _ place: ContractPlace) {
        var seen: Set<Int> = [number]
        var waiting = [number]
        while let current = waiting.popLast() {
            var way = [current]
            if let found = problem(above: &way, from: .distantPast, to: .distantFuture) {
                issues.add(place.profile("parent"), found)
                return
            }
            for child in children[current] where seen.insert(Int(child)).inserted {
                waiting.append(Int(child))
            }
        }
    }

    /// Follows all ancestors in a span of time. `way` ends with the customer to look above.
    private func problem(
        above way: inout [Int], from start: Timestamp, to end: Timestamp
    ) -> String? {
        let current = way[way.count - 1]
        let steps = customers[current].steps
        for (index, step) in steps.enumerated() where step.parent >= 0 {
            let stepEnd = index + 1 < steps.count ? steps[index + 1].start : .distantFuture
            let from = max(start, step.start)
            let to = min(end, stepEnd)
            if from >= to { continue }
            let parent = Int(step.parent)
            if let first = way.firstIndex(of: parent) {
                let names = (way[first...] + [parent]).map { customers[$0].id.rawValue }
                return "a customer must not be its own ancestor: "
                    + names.joined(separator: " → ")
            }
            if way.count == CatalogSnapshot.levelsMax {
                return "customers nest at most \(CatalogSnapshot.levelsMax) levels deep"
            }
            way.append(parent)
            if let found = problem(above: &way, from: from, to: to) { return found }
            way.removeLast()
        }
        return nil
    }

    // MARK: subjects

    private mutating func enter(_ claim: SubjectClaim) {
        let name = claim.subject.rawValue
        func place() -> [String] { claim.place.profile("subjects", String(claim.index)) }
        if let message = Self.problem(withID: name) {
            issues.add(place(), message)
            return
        }
        guard subjectNumbers.count < ByteStringTable.entriesMax else {
            issues.add(place(), "at most \(ByteStringTable.entriesMax) subjects")
            return
        }
        let number = owner(of: claim)
        guard let known = subjectNumbers.insert(name, hash, number: number) else { return }
        let holder = customers[known]
        let base = holder.base < 0 ? known : Int(holder.base)
        if base == claim.number {
            issues.add(place(), "the subject \"\(name)\" is there twice")
        } else if holder.hasEnded || customers[number].hasEnded {
            // Who is still there has it before who is gone.
            if !customers[number].hasEnded {
                subjectNumbers.remove(name, hash)
                _ = subjectNumbers.insert(name, hash, number: number)
                disown(known, claim.subject)
            } else {
                disown(number, claim.subject)
            }
        } else {
            issues.add(
                place(),
                "the subject \"\(name)\" belongs to customer \"\(customers[base].id)\" already")
        }
    }

    private func owner(of claim: SubjectClaim) -> Int {
        if claim.environment == .production { return claim.number }
        let twin = twins[claim.number].first {
            customers[Int($0)].environment == claim.environment
        }
        return twin.map { Int($0) } ?? claim.number
    }

    /// A customer that is gone lets go of a subject that another has.
    private mutating func disown(_ number: Int, _ subject: SubjectID) {
        let own = customers[number]
        customers[number] = CompiledCustomer(
            number: number, id: own.id, zone: own.zone, environment: own.environment,
            isRemoved: own.isRemoved, base: own.base, steps: own.steps,
            subjects: own.subjects.filter { $0 != subject }, hasEnded: own.hasEnded,
            owner: own.owner)
    }

    // MARK: ids

    mutating func checkID(_ id: CustomerID, _ place: ContractPlace) -> Bool {
        let message =
            Self.problem(withID: id.rawValue)
            ?? (Environment.allCases.contains { id.rawValue.hasSuffix("#\($0.rawValue)") }
                ? "an id must not end in an environment's suffix, e.g. #sandbox" : nil)
        guard let message else { return true }
        issues.add(place.profile("id"), message)
        return false
    }

    /// Ids of customers and subjects are foreign, so anything that can be shown in a line.
    static func problem(withID id: String) -> String? {
        let max = ByteStringTable.nameBytesMax
        if id.isEmpty { return "an id must not be empty" }
        if id.utf8.count > max { return "an id must not be longer than \(max) bytes" }
        if id.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            return "an id must not contain control characters"
        }
        return NameForm.problem(with: id).map { "the id \"\(id)\" \($0)" }
    }
}
