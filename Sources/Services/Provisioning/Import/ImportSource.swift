import MeteringModel
import MeteringPorts

/// What an import works with: the body, where its lines are, and in which order they are taken.
struct ImportSource: Sendable {
    let body: [UInt8]
    let lines: [ImportLines.Line]
    let index: ImportIndex
    let context: CommandContext

    /// Positions of lines, chunk by chunk, in the order of the import.
    func chunks(from first: Int, size: Int) -> [ArraySlice<Int>] {
        stride(from: first, to: index.order.count, by: size).map {
            index.order[$0..<min($0 + size, index.order.count)]
        }
    }

    /// Works lines out on a draft.
    /// - Throws: every line at fault, as `lines` of one problem.
    func apply(
        _ positions: ArraySlice<Int>, to draft: inout ControlDraft, isRehearsal: Bool
    ) throws(ControlProblem) -> ImportTally {
        let (tally, faults) = try work(positions, on: &draft, isRehearsal: isRehearsal)
        if let problem = faults.problem { throw problem }
        return tally
    }

    /// Lines that are at fault by themselves, however many.
    func faults(
        of positions: ArraySlice<Int>, _ draft: ControlDraft
    ) throws(ControlProblem) -> ImportFaults {
        var draft = draft
        return try work(positions, on: &draft, isRehearsal: true).faults
    }

    private func work(
        _ positions: ArraySlice<Int>, on draft: inout ControlDraft, isRehearsal: Bool
    ) throws(ControlProblem) -> (tally: ImportTally, faults: ImportFaults) {
        let codec = draft.codec()
        var tally = ImportTally()
        var faults = ImportFaults()
        for position in positions {
            let line = lines[position]
            do throws(ControlProblem) {
                let parsed = try ImportLine(body, line.range)
                // In a rehearsal the chunks before this one are not there.
                let isParentToCome =
                    isRehearsal && (parsed.parent.map { index.has(CustomerID($0)) } ?? false)
                let change = try parsed.apply(
                    to: &draft, codec, leavesParent: isParentToCome)
                tally.add(change, parsed.customer, line.number)
            } catch {
                if error.kind == .unavailable { throw error }
                faults.add(error, line.number)
            }
        }
        return (tally, faults)
    }
}

/// What lines of an import do.
struct ImportTally {
    struct Example {
        var line: Int
        var customer: String
        var change: ImportLine.Change
    }
    private(set) var created = 0
    private(set) var changed = 0
    private(set) var unchanged = 0
    private(set) var examples: [Example] = []

    init() {}

    mutating func add(_ change: ImportLine.Change, _ customer: CustomerID, _ line: Int) {
        switch change {
        case .create: created += 1
        case .change: changed += 1
        case .unchanged: unchanged += 1
        }
        guard change != .unchanged, examples.count < BulkImport.examplesMax else { return }
        examples.append(Example(line: line, customer: customer.rawValue, change: change))
    }

    mutating func add(_ other: ImportTally) {
        created += other.created
        changed += other.changed
        unchanged += other.unchanged
        examples += other.examples.prefix(BulkImport.examplesMax - examples.count)
    }

    // The engine hands answers through, so a chunk's tally travels as one.

    var document: ControlAnswer { answer(total: created + changed + unchanged) }

    init(_ body: JSONValue) {
        func count(_ name: String) -> Int { Int(body[name]?.integer ?? 0) }
        created = count("create")
        changed = count("change")
        unchanged = count("unchanged")
        for example in body["examples"]?.elements ?? [] {
            guard let word = example["change"]?.text, let change = ImportLine.Change(rawValue: word)
            else { continue }
            examples.append(
                Example(
                    line: Int(example["line"]?.integer ?? 0),
                    customer: example["customer"]?.text ?? "", change: change))
        }
    }

    func answer(total: Int) -> ControlAnswer {
        ControlAnswer(
            body: .object([
                "total": .integer(total), "create": .integer(created), "change": .integer(changed),
                "unchanged": .integer(unchanged),
                "examples": .array(
                    examples.map {
                        .object([
                            "line": .integer($0.line), "customer": .string($0.customer),
                            "change": .string($0.change.rawValue),
                        ])
                    }),
            ]))
    }
}

extension ImportProgress {
    /// After another chunk.
    func advanced(by count: Int, _ tally: ImportTally, total: Int, at now: Timestamp) -> Self {
        var next = self
        next.done += count
        next.created += tally.created
        next.changed += tally.changed
        next.unchanged += tally.unchanged
        next.updatedAt = now
        if next.done >= total { next.state = .done }
        return next
    }
}
