import Crypto
import Entitlements
import MeteringModel
package import MeteringPorts

/// Takes customers in by the thousand: one line of NDJSON each.
///
/// 1. Every line is read, and what lines say about each other is checked.
/// 2. Every chunk is rehearsed: worked out and compiled, but not stored. A fault on any line ends
///    the import here, with nothing changed.
/// 3. Chunk after chunk is committed, each with the import's progress in the same transaction, and
///    comes into force before the next one begins. Checks go on all the while; other commands come
///    in between.
///
/// The same import again goes on behind the last chunk that was committed.
package struct BulkImport: Sendable {
    /// Examples in a dry run's answer.
    static let examplesMax = 20

    let engine: ControlEngine
    let customersPerChunk: Int

    /// - Parameter customersPerChunk: how many customers are committed together; bounds the time
    ///   that other commands wait, and the memory of a chunk.
    package init(engine: ControlEngine, customersPerChunk: Int = 1_000) {
        self.engine = engine
        self.customersPerChunk = max(1, customersPerChunk)
    }

    /// Imports the customers of a body.
    /// - Throws: `invalid_lines` with the lines at fault; `count_mismatch` when the body has another
    ///   number of customers than was expected; `import_conflict` when the id was used for another
    ///   body. Nothing was changed then. A failure of the store stops between two chunks: the same
    ///   call goes on there.
    package func run(
        _ body: [UInt8], _ options: ImportOptions, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        let digest = Self.hex(SHA256.hash(data: body))
        let id = options.id ?? context.idempotencyKey ?? "im_\(digest.prefix(16))"
        let known = context.isDryRun ? nil : try progress(id)
        if let known {
            try Self.requireResumable(known, digest)
            if known.state == .done { return Self.answer(known) }
        }
        let lines = try ImportLines(body).lines
        try Self.requireExpected(lines.count, context)
        var chunkContext = context
        chunkContext.requestID = id
        chunkContext.idempotencyKey = nil
        chunkContext.ifMatch = nil
        if context.source == "api" { chunkContext.source = "import" }
        let source = ImportSource(
            body: body, lines: lines,
            index: try ImportIndex(body, lines, await engine.scratch(chunkContext)),
            context: chunkContext)
        if known != nil, let problem = source.index.faults.problem { throw problem }
        // What was begun has been rehearsed.
        let tally = known == nil ? try await rehearse(source) : ImportTally()
        if context.isDryRun { return tally.answer(total: lines.count) }
        let now = engine.clock.now().wholeSeconds
        let start =
            known
            ?? ImportProgress(
                id: id, state: .running, digest: digest, total: lines.count, startedAt: now,
                updatedAt: now)
        return Self.answer(try await commit(source, start))
    }

    // MARK: what must hold before anything is done

    private func progress(_ id: String) throws(ControlProblem) -> ImportProgress? {
        do throws(ControlStoreError) { return try engine.store.imports(id) } catch {
            throw .store(error)
        }
    }

    private static func requireResumable(
        _ known: ImportProgress, _ digest: String
    ) throws(ControlProblem) {
        if known.digest != digest {
            throw ControlProblem(
                .conflict, "import_conflict",
                "import \"\(known.id)\" was begun with another body; give this one another id")
        }
        if known.state == .rolledBack {
            throw ControlProblem(
                .conflict, "import_rolled_back",
                "import \"\(known.id)\" was rolled back; to do it again give it another id")
        }
    }

    private static func requireExpected(
        _ count: Int, _ context: CommandContext
    ) throws(ControlProblem) {
        if count == 0 {
            throw ControlProblem(.unprocessable, "empty", "the body has no line with a customer")
        }
        if let expected = context.expectedCount, expected != count {
            throw ControlProblem(
                .conflict, "count_mismatch",
                "the body has \(count) customers, not \(expected)", field: "expected_count")
        }
    }

    // MARK: rehearsal

    private func rehearse(
        _ source: ImportSource
    ) async throws(ControlProblem) -> ImportTally {
        var context = source.context
        context.isDryRun = true
        var tally = ImportTally()
        var faults = source.index.faults
        for positions in source.chunks(from: 0, size: customersPerChunk) {
            // Lines are at fault by themselves, or only when all others of the chunk are compiled.
            var left = positions.filter { !faults.has(source.lines[$0].number) }[...]
            while !left.isEmpty {
                do throws(ControlProblem) {
                    tally.add(try await rehearse(source, left, context))
                    break
                } catch {
                    if error.kind == .unavailable { throw error }
                    if error.lines.isEmpty {
                        try await faults.add(culprits(source, left, context, error, faults))
                        break
                    }
                    let atFault = try await source.faults(of: left, engine.scratch(context))
                    faults.add(atFault)
                    left = left.filter { !atFault.has(source.lines[$0].number) }[...]
                }
            }
            await Task.yield()
        }
        if let problem = faults.problem { throw problem }
        return tally
    }

    private func rehearse(
        _ source: ImportSource, _ positions: ArraySlice<Int>, _ context: CommandContext
    ) async throws(ControlProblem) -> ImportTally {
        let answer = try await engine.run(context, digest: "") {
            (draft) throws(ControlProblem) in
            try source.apply(positions, to: &draft, isRehearsal: true).document
        }
        return ImportTally(answer.body)
    }

    /// A chunk compiles only as a whole or not: which lines are to blame is found line by line.
    private func culprits(
        _ source: ImportSource, _ positions: ArraySlice<Int>, _ context: CommandContext,
        _ problem: ControlProblem, _ known: ImportFaults
    ) async throws(ControlProblem) -> ImportFaults {
        var faults = ImportFaults()
        for position in positions.indices {
            // Each look costs a compilation: those that would not be shown are not counted either.
            if faults.lines.count + known.lines.count >= ImportFaults.linesMax {
                faults.cut()
                return faults
            }
            do throws(ControlProblem) {
                _ = try await rehearse(source, positions[position...position], context)
            } catch {
                if error.kind == .unavailable { throw error }
                faults.add(error, source.lines[positions[position]].number)
            }
        }
        if faults.lines.isEmpty, let first = positions.first {
            faults.add(problem, source.lines[first].number)
        }
        return faults
    }

    // MARK: chunks

    private func commit(
        _ source: ImportSource, _ start: ImportProgress
    ) async throws(ControlProblem) -> ImportProgress {
        var progress = start
        for positions in source.chunks(from: start.done, size: customersPerChunk) {
            let before = progress
            let store = engine.store
            let answer = try await engine.run(source.context, digest: "", progress: before) {
                (draft) throws(ControlProblem) in
                try Self.requireAlone(before, store)
                let tally = try source.apply(positions, to: &draft, isRehearsal: false)
                draft.progress = before.advanced(
                    by: positions.count, tally, total: source.lines.count, at: draft.now)
                return tally.document
            }
            progress = before.advanced(
                by: positions.count, ImportTally(answer.body), total: source.lines.count,
                at: engine.clock.now().wholeSeconds)
            // Checks and other commands have their turn before the next chunk.
            await Task.yield()
        }
        return progress
    }

    /// Two calls of the same import at a time would count twice.
    private static func requireAlone(
        _ expected: ImportProgress, _ store: any ControlStore
    ) throws(ControlProblem) {
        let stored: ImportProgress?
        do throws(ControlStoreError) { stored = try store.imports(expected.id) } catch {
            throw .store(error)
        }
        if (stored?.done ?? 0) == expected.done, stored?.state ?? .running == .running { return }
        throw ControlProblem(
            .conflict, "import_running",
            "import \"\(expected.id)\" is being carried out by another call, too")
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// The request id of an import's changes is the import's own.
    static func answer(_ progress: ImportProgress) -> ControlAnswer {
        ControlAnswer(body: progress.document.setting(["request_id": .string(progress.id)]))
    }
}

extension ControlEngine {
    /// A draft to read from and try things on; nothing of it is ever stored.
    func scratch(_ context: CommandContext) -> ControlDraft { draft(context) }
}
