import MeteringModel

/// A snapshot in the making: starts as the one before, or empty, and takes contracts one by one.
/// Used only when no issue was found.
struct SnapshotBuild {
    let definitions: CompiledDefinitions
    let zones: ZoneSource
    var customers: PagedArray<CompiledCustomer>
    var customerNumbers: NameIndex
    var subjectNumbers: NameIndex
    var children: PagedArray<[Int32]>
    var twins: PagedArray<[Int32]>
    var issues = CatalogIssues()
    /// Numbers that were made anew.
    var touched: Set<Int> = []
    /// Customers whose contracts came.
    private var taken: Set<Int> = []
    /// Parents that were named before they came.
    var awaited: [(parent: Int, place: ContractPlace)] = []
    /// Numbers whose parents are others than before.
    var moved: [(number: Int, place: ContractPlace)] = []
    /// Numbers that were given for a name and have nothing yet.
    var vacant: Set<Int> = []
    var claims: [SubjectClaim] = []
    /// Twins to be made or renewed when all customers are there.
    var twinsDue: [(base: Int, environment: Environment, subjects: [SubjectID])] = []

    /// A subject that a customer lists.
    struct SubjectClaim {
        var subject: SubjectID
        /// Position in the profile's list.
        var index: Int
        var environment: Environment
        var number: Int
        var place: ContractPlace
    }

    init(_ definitions: CompiledDefinitions, _ zones: ZoneSource) {
        self.definitions = definitions
        self.zones = zones
        customers = PagedArray()
        customerNumbers = NameIndex()
        subjectNumbers = NameIndex()
        children = PagedArray()
        twins = PagedArray()
    }

    /// The snapshot as it is, to be changed.
    init(_ snapshot: CatalogSnapshot) {
        definitions = snapshot.definitions
        zones = snapshot.zones
        customers = snapshot.customers
        customerNumbers = snapshot.customerNumbers
        subjectNumbers = snapshot.subjectNumbers
        children = snapshot.children
        twins = snapshot.twins
    }

    var hash: KeyHash { definitions.hash }

    // MARK: numbers

    /// The customer's number; a new one when it has none yet.
    mutating func number(_ id: CustomerID) -> Int {
        let next = customers.count
        if let known = customerNumbers.insert(id.rawValue, hash, number: next) { return known }
        customers.append(.removed(next, id))
        children.append([])
        twins.append([])
        vacant.insert(next)
        return next
    }

    /// All that the snapshot before had, as numbers without contents.
    mutating func keepNumbers(of snapshot: CatalogSnapshot) {
        for number in 0..<snapshot.customerCount {
            let known = snapshot.customer(number)
            customers.append(.removed(number, known.id, base: known.base, known.environment))
            children.append([])
            vacant.insert(number)
        }
        customerNumbers = snapshot.customerNumbers
        twins = snapshot.twins
    }

    // MARK: contracts

    /// Takes out the subjects of customers that are about to be replaced, so that a subject can move
    /// between two of them whatever their order.
    mutating func beginUpdate(_ ids: [CustomerID]) {
        for id in ids {
            guard let number = customerNumbers.number(id.rawValue, hash) else { continue }
            for holder in [Int32(number)] + twins[number] {
                for subject in customers[Int(holder)].subjects {
                    subjectNumbers.remove(subject.rawValue, hash)
                }
            }
        }
    }

    mutating func take(_ contract: CustomerContract, _ place: ContractPlace) {
        guard checkID(contract.id, place) else { return }
        guard customers.count < ByteStringTable.entriesMax else {
            issues.add(["customers"], "at most \(ByteStringTable.entriesMax) customers")
            return
        }
        let number = number(contract.id)
        if !taken.insert(number).inserted {
            issues.add(place.profile("id"), "there are two customers \"\(contract.id)\"")
            return
        }
        vacant.remove(number)
        touched.insert(number)
        ContractCheck(contract, definitions, place).run(&issues)
        let before = customers[number]
        let profile = contract.profile.steps.last { $0.value != nil }?.value ?? CustomerProfile()
        let hasEnded = contract.profile.steps.last?.value == nil
        let own = profile.subjects.filter {
            $0.environment == .production || $0.environment == profile.environment
        }
        customers[number] = CompiledCustomer(
            number: number, id: contract.id, zone: zone(profile, place),
            environment: profile.environment,
            steps: steps(contract, number, place), subjects: own.map(\.id),
            hasEnded: hasEnded, owner: profile.owner)
        for (index, subject) in profile.subjects.enumerated() {
            let environment =
                subject.environment == profile.environment ? .production : subject.environment
            claims.append(
                SubjectClaim(
                    subject: subject.id, index: index, environment: environment, number: number,
                    place: place))
        }
        link(number, before: before, place)
        planTwins(of: number, profile)
    }

    mutating func remove(_ id: CustomerID) {
        guard let number = customerNumbers.number(id.rawValue, hash), !customers[number].isRemoved
        else { return }
        clear(number)
        for twin in twins[number] { clear(Int(twin)) }
    }

    private mutating func clear(_ number: Int) {
        let before = customers[number]
        for subject in before.subjects { subjectNumbers.remove(subject.rawValue, hash) }
        customers[number] = .removed(number, before.id, base: before.base, before.environment)
        touched.insert(number)
        unlink(number, before)
    }

    private mutating func zone(_ profile: CustomerProfile, _ place: ContractPlace) -> TimeZoneRules
    {
        if let rules = zones.rules(profile.timeZone) { return rules }
        issues.add(
            place.profile("time_zone"),
            "\"\(profile.timeZone)\" is not an IANA zone known here")
        return .utc
    }

    private mutating func steps(
        _ contract: CustomerContract, _ number: Int, _ place: ContractPlace
    ) -> [CompiledCustomer.Step] {
        let pieces = CustomerTimeline(contract, definitions).pieces
        return pieces.enumerated().map { index, piece in
            guard let id = piece.state.parent else {
                return CompiledCustomer.Step(piece, parent: -1)
            }
            let parent = self.number(id)
            // A parent of the past may be gone since.
            if index == pieces.count - 1, customers[parent].isRemoved {
                awaited.append((parent, place))
            }
            return CompiledCustomer.Step(piece, parent: Int32(parent))
        }
    }

    // MARK: the tree

    private mutating func link(_ number: Int, before: CompiledCustomer, _ place: ContractPlace) {
        let old = before.steps.map { ParentSpan($0) }
        let new = customers[number].steps.map { ParentSpan($0) }
        if !new.contains(where: { $0.parent >= 0 }), !old.contains(where: { $0.parent >= 0 }) {
            return
        }
        unlink(number, before)
        for parent in Set(new.map(\.parent)) where parent >= 0 {
            children[Int(parent)].append(Int32(number))
        }
        moved.append((number, place))
    }

    private mutating func unlink(_ number: Int, _ before: CompiledCustomer) {
        for parent in Set(before.steps.map(\.parent)) where parent >= 0 {
            children[Int(parent)].removeAll { $0 == Int32(number) }
        }
    }

    private struct ParentSpan: Hashable {
        var start: Timestamp
        var parent: Int32
        init(_ step: CompiledCustomer.Step) {
            start = step.start
            parent = step.parent
        }
    }

    // MARK: twins for other environments

    private mutating func planTwins(of number: Int, _ profile: CustomerProfile) {
        if profile.subjects.isEmpty, twins[number].isEmpty { return }
        var due: [Environment: [SubjectID]] = [:]
        for twin in twins[number] { due[customers[Int(twin)].environment] = [] }
        for subject in profile.subjects
        where subject.environment != .production && subject.environment != profile.environment {
            due[subject.environment, default: []].append(subject.id)
        }
        for environment in Environment.allCases {
            if let subjects = due[environment] { twinsDue.append((number, environment, subjects)) }
        }
    }

    /// Makes or renews the twin of a customer, and those of its ancestors that there are not yet.
    mutating func makeTwin(
        of number: Int, _ environment: Environment, subjects: [SubjectID]
    ) -> Int {
        let base = customers[number]
        if environment == base.environment { return number }
        let id = environment.customer(base.id)
        let twin = self.number(id)
        vacant.remove(twin)
        if !twins[number].contains(Int32(twin)) {
            twins[number].append(Int32(twin))
        }
        // Entered before its ancestors are made, so that a cycle (an issue by now) ends.
        customers[twin] = base.twin(twin, id, environment, base.steps, subjects)
        touched.insert(twin)
        let steps = base.steps.map { step in
            guard step.parent >= 0 else { return step }
            let parent = Int(step.parent)
            let known = twins[parent].first {
                customers[Int($0)].environment == environment
            }
            let own = known.map { Int($0) } ?? makeTwin(of: parent, environment, subjects: [])
            return step.with(parent: Int32(own))
        }
        customers[twin] = base.twin(twin, id, environment, steps, subjects)
        return twin
    }
}

extension CompiledCustomer {
    /// A number that means nobody (any more).
    static func removed(
        _ number: Int, _ id: CustomerID, base: Int32 = -1, _ environment: Environment = .production
    ) -> CompiledCustomer {
        CompiledCustomer(
            number: number, id: id, zone: .utc, environment: environment, isRemoved: true,
            base: base, steps: [.nothing], subjects: [])
    }

    /// The same rights with counters of their own.
    func twin(
        _ number: Int, _ id: CustomerID, _ environment: Environment, _ steps: [Step],
        _ subjects: [SubjectID]
    ) -> CompiledCustomer {
        CompiledCustomer(
            number: number, id: id, zone: zone, environment: environment, isRemoved: isRemoved,
            base: Int32(self.number), steps: steps, subjects: subjects, hasEnded: hasEnded,
            owner: owner)
    }
}

extension CompiledCustomer.Step {
    static let nothing = CompiledCustomer.Step(
        start: .distantPast, shape: .nothing, firstAnchor: .distantFuture, otherAnchors: [],
        parent: -1, inherits: false, isPresent: false)

    init(_ piece: CustomerTimeline.Piece, parent: Int32) {
        let state = piece.state
        self.init(
            start: piece.start, shape: state.shape,
            firstAnchor: state.anchors.first ?? .distantFuture,
            otherAnchors: Array(state.anchors.dropFirst()), parent: parent,
            inherits: state.inherits, isPresent: state.isPresent)
    }

    func with(parent: Int32) -> CompiledCustomer.Step {
        CompiledCustomer.Step(
            start: start, shape: shape, firstAnchor: firstAnchor, otherAnchors: otherAnchors,
            parent: parent, inherits: inherits, isPresent: isPresent)
    }
}
