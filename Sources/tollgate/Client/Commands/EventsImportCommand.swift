import ArgumentParser
import Foundation
import MeteringModel

struct EventsImportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn a CSV trace into usage events and send them.",
        discussion: """
            EXAMPLES
              tollgate events import trace.csv --type llm.request --time TIMESTAMP \\
                --data total_tokens=ContextTokens+GeneratedTokens --subjects zipf:50 --end-at now
              tollgate events import calls.csv --type api.call --time at --subject api_key \\
                --data route=path --backfill

            Ids are made of the row's number, its content and the type: importing the same file \
            again, or after a break, counts nothing twice, whatever --end-at says; the first \
            time and subject sent for a row stay.
            Times may be RFC 3339, yyyy-MM-dd HH:mm:ss[.fraction] in UTC, or Unix seconds.
            Bad rows are reported with their line and left out; the rest is sent.

            \(CommandExit.help)
            """)

    @Argument(help: "The trace: CSV with a header line.")
    var file: String

    @Option(help: "Event type.")
    var type: String

    @Option(help: ArgumentHelp("Column that holds the time.", valueName: "column"))
    var time: String

    @Option(
        help: ArgumentHelp(
            "A member of the data, from one column or the sum of several; may be repeated.",
            valueName: "name=column[+column]"))
    var data: [String] = []

    @Option(
        help: ArgumentHelp(
            "Deal the rows out to key_1 … key_N, few busy and most quiet; the same every time.",
            valueName: "zipf:N"))
    var subjects: String?

    @Option(help: ArgumentHelp("Column that holds the subject.", valueName: "column"))
    var subject: String?

    @Option(help: "Event source.")
    var source = "tollgate-import"

    @Option(
        help: ArgumentHelp(
            "Shift all times so that the latest is this one.", valueName: "now|time"))
    var endAt: String?

    @Option(help: "Write NDJSON to this file instead of sending; - writes to stdout.")
    var eventsOut: String?

    @OptionGroup var sending: SendOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard (subject == nil) != (subjects == nil) else {
            throw ValidationError("Name either --subject COLUMN or --subjects zipf:N.")
        }
        if let subjects, ZipfSubjects(subjects) == nil {
            throw ValidationError(
                "--subjects: \(subjects) is not zipf:N with N from 1 to \(ZipfSubjects.countMax).")
        }
        for mapping in data where DataMapping(mapping) == nil {
            throw ValidationError("--data: \(mapping) is not NAME=COLUMN or NAME=COLUMN+COLUMN.")
        }
        if let endAt, endAt != "now", TraceTime.parse(endAt) == nil {
            throw ValidationError("--end-at: \(endAt) is neither now nor a time.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let trace = try CSVFile(path: file)
        var mapper = try makeMapper(header: trace.header)
        let survey = try TraceSurvey(path: file, mapper: mapper)
        if let endAt, let latest = survey.latest {
            let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
            let end = endAt == "now" ? now : TraceTime.parse(endAt) ?? now
            mapper.shiftMicroseconds = end.microseconds(since: latest)
        }
        // In a file the events keep the order of the trace, so one batch at a time.
        let stream = EventStream(
            batchSize: sending.batchSize, inFlightMax: eventsOut == nil ? sending.inFlight : 1,
            total: survey.rows, isQuiet: sending.quiet)
        let deliver = try makeDelivery(client)
        var row = 0
        let finalMapper = mapper
        let (tally, seconds) = try await stream.run { () throws(ClientFailure) in
            guard let record = try trace.next() else { return nil }
            row += 1
            do throws(RowProblem) {
                let event = try finalMapper.event(row: row, record: record)
                return (record.line, .success(event))
            } catch { return (record.line, .failure(error)) }
        } send: { (batch) async throws(ClientFailure) in
            try await deliver(batch.events)
        }
        try SendReport(isJSON: connection.json, isQuiet: sending.quiet || eventsOut == "-")
            .finish(tally, seconds: seconds)
    }

    private func makeMapper(header: [String]) throws(ClientFailure) -> TraceMapper {
        let kind: TraceMapper.Subjects
        if let zipf = subjects.flatMap(ZipfSubjects.init(_:)) {
            kind = .zipf(zipf)
        } else {
            kind = .column(subject ?? "")
        }
        return try TraceMapper(
            header: header, type: type, source: source, time: time,
            data: data.compactMap(DataMapping.init), subjects: kind)
    }

    private typealias Delivery =
        @Sendable ([String]) async throws(ClientFailure) -> EventSender.Outcome

    private func makeDelivery(_ client: APIClient) throws(ClientFailure) -> Delivery {
        guard let eventsOut else {
            let sender = sending.sender(client)
            return { (events) async throws(ClientFailure) in try await sender.send(events) }
        }
        let output = try EventFile(path: eventsOut)
        return { (events) async throws(ClientFailure) in try output.write(events) }
    }
}

/// What must be known of a trace before its first event can be sent.
struct TraceSurvey {
    var rows = 0
    /// The latest time written in it; rows with bad times do not take part.
    var latest: Timestamp?

    init(path: String, mapper: TraceMapper) throws(ClientFailure) {
        let trace = try CSVFile(path: path)
        while let record = try trace.next() {
            rows += 1
            guard let time = try? mapper.time(of: record) else { continue }
            latest = max(latest ?? time, time)
        }
    }
}

/// Where events go instead of to the server, one JSON object a line.
struct EventFile: Sendable {
    private let path: String
    private let handle: FileHandle

    init(path: String) throws(ClientFailure) {
        self.path = path
        if path == "-" {
            handle = .standardOutput
            return
        }
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ClientFailure(.badInput, "cannot write \(path)") }
        self.handle = handle
    }

    func write(_ events: [String]) throws(ClientFailure) -> EventSender.Outcome {
        do {
            let text = events.map { $0 + "\n" }.joined()
            try handle.write(contentsOf: Data(text.utf8))
        } catch {
            throw ClientFailure(
                .badInput, "cannot write \(path): \(error.localizedDescription)")
        }
        return EventSender.Outcome(accepted: events.count, rejected: [])
    }
}
