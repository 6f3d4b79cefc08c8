import ArgumentParser
import Foundation

struct ConsumeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Use some of a feature: decision and charge in one step.",
        discussion: """
            EXAMPLES
              tollgate consume --customer acme --feature api_calls --id order-17
              tollgate consume --subject key_1 --feature api_calls --times 500 --clients 16

            The same id again gives the same answer and charges nothing more. Without --id each \
            call is a new one. With --times the ids are made of --id and the call's number.

            \(CommandExit.help)
            """)

    @OptionGroup var question: QuestionOptions

    @Option(help: "Idempotency key.")
    var id: String?

    @Option(help: "Ask so many times, and print a summary.")
    var times = 1

    @Option(help: "With --times: how many clients ask at once (1 … 64).")
    var clients = 1

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard times >= 1 else { throw ValidationError("--times must be at least 1.") }
        guard (1...64).contains(clients) else {
            throw ValidationError("--clients must be 1 to 64.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        if times > 1 { return try await performMany(client) }
        let data = try await client.answer(
            .post(["v1", "consume"], json: question.json(id: id ?? UUID().uuidString)))
        let decision = try client.decoded(DecisionAnswer.self, from: data)
        if connection.json {
            Terminal.result(json: data)
        } else {
            Terminal.result(DecisionText(decision: decision).lines.joined(separator: "\n"))
        }
        if !decision.allowed { throw ClientFailure(.denied) }
    }

    private func performMany(_ client: APIClient) async throws(ClientFailure) {
        let prefix = id ?? UUID().uuidString
        var tally = ConsumeTally()
        var failure: ClientFailure?
        await withTaskGroup(of: Result<DecisionAnswer, ClientFailure>.self) { group in
            var asked = 0
            while asked < times || !group.isEmpty {
                while failure == nil, asked < times, asked - tally.answers < clients {
                    asked += 1
                    let body = question.json(id: "\(prefix)-\(asked)")
                    group.addTask { await Self.ask(client, body) }
                }
                guard let result = await group.next() else { break }
                switch result {
                case .success(let decision): tally.add(decision)
                // The first failure is the cause; those after it may only be our own cancelling.
                case .failure(let error): failure = failure ?? error
                }
                if failure != nil { group.cancelAll() }
            }
        }
        if let failure { throw failure }
        Terminal.result(connection.json ? tally.json.text : tally.text)
        if tally.denied > 0 { throw ClientFailure(.denied) }
    }

    private static func ask(
        _ client: APIClient, _ body: JSONValue
    ) async -> Result<DecisionAnswer, ClientFailure> {
        do throws(ClientFailure) {
            let data = try await client.answer(.post(["v1", "consume"], json: body))
            return .success(try client.decoded(DecisionAnswer.self, from: data))
        } catch { return .failure(error) }
    }
}

/// How many of a row of calls were allowed, and why the others were not.
struct ConsumeTally {
    private(set) var allowed = 0
    private(set) var denied = 0
    private var reasons: [String: Int] = [:]

    var answers: Int { allowed + denied }

    mutating func add(_ decision: DecisionAnswer) {
        if decision.allowed {
            allowed += 1
        } else {
            denied += 1
            reasons[decision.reason, default: 0] += 1
        }
    }

    private var sortedReasons: [(key: String, value: Int)] {
        reasons.sorted { $0.key < $1.key }
    }

    var text: String {
        let why = sortedReasons.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return "allowed \(allowed)\ndenied  \(denied)" + (why.isEmpty ? "" : "  (\(why))")
    }

    var json: JSONValue {
        .object([
            "allowed": .integer(allowed), "denied": .integer(denied),
            "reasons": .object(
                sortedReasons.map { JSONValue.Member(name: $0.key, value: .integer($0.value)) }),
        ])
    }
}
