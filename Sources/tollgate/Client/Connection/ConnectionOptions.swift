import ArgumentParser
import Foundation

/// Where the server is and how to speak to it; the same for every client command.
struct ConnectionOptions: ParsableArguments {
    static let defaultServer = "http://127.0.0.1:8080"
    static let defaultAdmin = "http://127.0.0.1:9464"

    @Option(
        help: ArgumentHelp(
            "Server to ask. [env: TOLLGATE_SERVER; default: \(defaultServer)]", valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "File that holds the API key. [env: TOLLGATE_API_KEY_FILE]", valueName: "file"))
    var apiKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "Certificate authority to trust, PEM, for https. [env: TOLLGATE_CA_CERT]",
            valueName: "file"))
    var caCert: String?

    @Flag(help: "Print the server's JSON answer instead of text.")
    var json = false

    func makeClient() throws(ClientFailure) -> APIClient {
        let address = server ?? Self.environment("TOLLGATE_SERVER") ?? Self.defaultServer
        return APIClient(
            base: try ServerAddress(address, option: "--server"), apiKey: try apiKey(),
            authorityFile: caCert ?? Self.environment("TOLLGATE_CA_CERT"))
    }

    /// The variable's value; nil when unset or empty.
    static func environment(_ name: String) -> String? {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
            return nil
        }
        return value
    }

    private func apiKey() throws(ClientFailure) -> String? {
        guard let path = apiKeyFile ?? Self.environment("TOLLGATE_API_KEY_FILE") else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ClientFailure(.usage, "cannot read the API key file \(path)")
        }
        let key = String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard !key.isEmpty, key.allSatisfy({ $0.isASCII && !$0.isWhitespace }) else {
            throw ClientFailure(.usage, "\(path) must hold one API key and nothing else")
        }
        return key
    }
}
