import Entitlements
import MeteringModel
import MeteringPorts

/// What the lines of an import say about each other: who comes twice, whose parent comes where. In
/// the order that it finds, parents come before their children.
struct ImportIndex {
    /// Lines at fault, up to `ImportFaults.linesMax`.
    private(set) var faults = ImportFaults()
    /// Positions in the list of lines.
    private(set) var order: [Int] = []

    private var lineOfCustomer: [CustomerID: Int] = [:]
    private var lineOfSubject: [String: Int] = [:]
    private var lineOfExternalID: [String: Int] = [:]
    /// Only of lines that name one.
    private var parents: [CustomerID: CustomerID] = [:]
    /// By position; nil for lines at fault.
    private var customers: [CustomerID?] = []

    /// Whether a customer has a line.
    func has(_ customer: CustomerID) -> Bool { lineOfCustomer[customer] != nil }

    init(_ body: [UInt8], _ lines: [ImportLines.Line], _ draft: ControlDraft) throws(ControlProblem)
    {
        lineOfCustomer.reserveCapacity(lines.count)
        customers.reserveCapacity(lines.count)
        for line in lines {
            do throws(ControlProblem) {
                try note(try ImportLine(body, line.range), line.number, draft)
            } catch {
                if error.kind == .unavailable { throw error }
                faults.add(error, line.number)
                // Keeps positions level with the lines.
                customers.append(nil)
            }
        }
        try sort(lines, draft)
    }

    private mutating func note(
        _ line: ImportLine, _ number: Int, _ draft: ControlDraft
    ) throws(ControlProblem) {
        if let first = lineOfCustomer.updateValue(number, forKey: line.customer) {
            throw .invalid(
                "duplicate", "customer \"\(line.customer)\" is on line \(first) already",
                field: "id")
        }
        for (index, subject) in line.subjects.enumerated() {
            if let first = lineOfSubject.updateValue(number, forKey: subject) {
                throw .invalid(
                    "duplicate", "subject \"\(subject)\" is on line \(first) already",
                    field: "subjects[\(index)]")
            }
            let owner = try draft.customer(ofSubject: SubjectID(subject))
            if let owner, owner != line.customer {
                throw .invalid(
                    "subject_taken", "subject \"\(subject)\" belongs to customer \"\(owner)\"",
                    field: "subjects[\(index)]")
            }
        }
        for (system, name) in line.externalIDs.sorted(by: { $0.key < $1.key }) {
            let key = "\(system.utf8.count):\(system)\(name)"
            if let first = lineOfExternalID.updateValue(number, forKey: key) {
                throw .invalid(
                    "duplicate", "\(system) id \"\(name)\" is on line \(first) already",
                    field: "external_ids.\(system)")
            }
            let owner = try draft.customer(externalSystem: system, name: name)
            if let owner, owner != line.customer {
                throw .invalid(
                    "external_id_taken",
                    "\(system) id \"\(name)\" belongs to customer \"\(owner)\"",
                    field: "external_ids.\(system)")
            }
        }
        if let parent = line.parent { parents[line.customer] = CustomerID(parent) }
        customers.append(line.customer)
    }

    // MARK: trees

    private mutating func sort(
        _ lines: [ImportLines.Line], _ draft: ControlDraft
    ) throws(ControlProblem) {
        var levels: [[Int]] = Array(repeating: [], count: CatalogSnapshot.levelsMax)
        for (position, customer) in customers.enumerated() {
            guard let customer else { continue }
            do throws(ControlProblem) {
                levels[try level(of: customer, draft)].append(position)
            } catch {
                if error.kind == .unavailable { throw error }
                faults.add(error, lines[position].number)
            }
        }
        order = levels.flatMap { $0 }
    }

    /// How far above a customer the last of its ancestors in this file is; 0 without any.
    private func level(
        of customer: CustomerID, _ draft: ControlDraft
    ) throws(ControlProblem) -> Int {
        var level = 0
        var above = 1
        var child = customer
        while let parent = try parent(of: child, draft) {
            if parent == customer {
                throw .invalid(
                    "cyclic_parent", "customer \"\(customer)\" would be its own ancestor",
                    field: "parent")
            }
            above += 1
            if above > CatalogSnapshot.levelsMax {
                throw .invalid(
                    "tree_too_deep",
                    "a tree of customers has at most \(CatalogSnapshot.levelsMax) levels",
                    field: "parent")
            }
            if has(parent) {
                level = above - 1
            } else if try draft.history(.customer, parent.rawValue)?.latest == nil {
                throw .unknown(.customer, parent.rawValue, field: "parent", known: [])
            }
            child = parent
        }
        return level
    }

    private func parent(
        of customer: CustomerID, _ draft: ControlDraft
    ) throws(ControlProblem) -> CustomerID? {
        if let named = parents[customer] { return named }
        // Nobody in the file names a parent: most imports are flat, and need no look at the store.
        if parents.isEmpty { return nil }
        let document = try draft.history(.customer, customer.rawValue)?.latest
        return document?["parent"]?.text.map { CustomerID($0) }
    }
}

/// The lines of an import that cannot be taken.
struct ImportFaults {
    /// More are counted, not kept.
    static let linesMax = 100

    private(set) var lines: [ControlProblem.Line] = []
    private var numbers: Set<Int> = []

    var isFull: Bool { lines.count >= Self.linesMax }

    /// Lines whose faults were not all looked for.
    private var isCut = false

    /// One fault a line.
    mutating func add(_ problem: ControlProblem, _ line: Int) {
        add([.init(line: line, field: problem.field, message: problem.detail)])
    }

    mutating func add(_ others: [ControlProblem.Line]) {
        for line in others where numbers.insert(line.line).inserted && !isFull {
            lines.append(line)
        }
    }

    /// Takes in another's lines, those that it only counted included.
    mutating func add(_ other: ImportFaults) {
        add(other.lines)
        numbers.formUnion(other.numbers)
        isCut = isCut || other.isCut
    }

    func has(_ line: Int) -> Bool { numbers.contains(line) }

    /// Notes that there may be more.
    mutating func cut() { isCut = true }

    /// The whole refusal; nil without faults.
    var problem: ControlProblem? {
        guard !lines.isEmpty else { return nil }
        let sorted = lines.sorted { $0.line < $1.line }
        let first = sorted[0]
        let rest = numbers.count - 1
        let more = rest == 0 && !isCut ? "" : " and \(isCut ? "at least " : "")\(rest) more"
        return ControlProblem(
            .unprocessable, "invalid_lines",
            "line \(first.line)\(more) cannot be imported, so nothing was: \(first.message)",
            field: first.field, lines: sorted)
    }
}
