import ArgumentParser
import Foundation

struct CheckCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Ask whether a customer may use more of a feature; charges nothing.",
        discussion: """
            EXAMPLES
              tollgate check --customer acme --feature tokens --quantity 500
              tollgate check --subject key_1 --feature sso && echo yes

            \(CommandExit.help)
            """)

    @OptionGroup var question: QuestionOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(.post(["v1", "check"], json: question.json()))
        let decision = try client.decoded(DecisionAnswer.self, from: data)
        if connection.json {
            Terminal.result(json: data)
        } else {
            Terminal.result(DecisionText(decision: decision).lines.joined(separator: "\n"))
        }
        if !decision.allowed { throw ClientFailure(.denied) }
    }
}
