import ArgumentParser
import Foundation

struct HealthCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask the admin port whether the server is alive and ready.",
        discussion: """
            EXAMPLE
              tollgate health --admin http://127.0.0.1:9464

            Ends with 0 when ready, 75 when alive but not ready, 69 when there is no answer.

            \(CommandExit.help)
            """)

    @Option(
        help: ArgumentHelp(
            "Admin address. [env: TOLLGATE_ADMIN; default: \(ConnectionOptions.defaultAdmin)]",
            valueName: "url"))
    var admin: String?

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let address =
            admin ?? ConnectionOptions.environment("TOLLGATE_ADMIN")
            ?? ConnectionOptions.defaultAdmin
        let base = try ServerAddress(address, option: "--admin")
        let adminClient = APIClient(base: base, apiKey: nil)
        let alive = try await adminClient.exchange(
            APIRequest(.get, ["healthz"], timeoutSeconds: 5))
        let ready = try await adminClient.exchange(APIRequest(.get, ["readyz"], timeoutSeconds: 5))
        let isAlive = (200..<300).contains(alive.status)
        let isReady = (200..<300).contains(ready.status)
        if connection.json {
            Terminal.result(json: ready.body)
        } else {
            Terminal.result("alive  \(isAlive ? "yes" : "no")\nready  \(isReady ? "yes" : "no")")
            for line in Self.details(ready.body) { Terminal.result("  " + line) }
        }
        if !isAlive { throw ClientFailure(.internalError) }
        if !isReady { throw ClientFailure(.retryLater) }
    }

    /// The members of a JSON answer as lines, or the lines of a text.
    static func details(_ body: Data) -> [String] {
        guard let document = try? JSONDecoder().decode(JSONValue.self, from: body),
            case .object(let members) = document
        else {
            return String(decoding: body, as: UTF8.self).split(whereSeparator: \.isNewline)
                .map { TextTable.printable(String($0)) }
        }
        return members.flatMap { lines(name: $0.name, value: $0.value) }
    }

    private static func lines(name: String, value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            return members.flatMap { lines(name: $0.name, value: $0.value) }
        case .array(let values):
            return values.map { "\(name): \(TextTable.printable($0.string ?? $0.text))" }
        default: return ["\(name): \(TextTable.printable(value.string ?? value.text))"]
        }
    }
}
