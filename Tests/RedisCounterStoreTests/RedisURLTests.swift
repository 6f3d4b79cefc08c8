import RedisClient
import Testing

@Suite struct RedisURLTests {
    @Test func `reads every part`() throws {
        let url = try RedisURL("redis://me:p%40ss%2Fw%3A@redis.example:6380/3")
        #expect(url.host == "redis.example")
        #expect(url.port == 6_380)
        #expect(url.user == "me")
        #expect(url.password == RedisSecret("p@ss/w:"))
        #expect(url.database == 3)
    }

    @Test func `fills in what is left out`() throws {
        let url = try RedisURL("redis://localhost")
        #expect(url == RedisURL(host: "localhost", port: 6_379, database: 0))
        #expect(try RedisURL("redis://:secret@[::1]:7000/").host == "::1")
        #expect(try RedisURL("redis://:secret@[::1]:7000/").user == nil)
    }

    @Test(arguments: [
        "localhost:6379", "http://localhost", "rediss://localhost", "redis://", "redis://:6379",
        "redis://h:0", "redis://h:70000", "redis://h:x", "redis://h/x", "redis://h/-1",
        "redis://user@h", "redis://u:@h", "redis://u:%zz@h", "redis://u:%4@h", "redis://::1",
        "redis://[::1", "redis://[::1]x", "redis://h?db=1", "redis://u:%ff@h",
    ])
    func `refuses what it cannot use`(text: String) {
        #expect(throws: RedisURLError.self) { try RedisURL(text) }
    }

    @Test func `explains the lack of TLS`() {
        let error = #expect(throws: RedisURLError.self) { try RedisURL("rediss://u:hush@h") }
        #expect(error?.description.contains("sidecar") == true)
        #expect(error?.description.contains("hush") == false)
    }

    @Test func `never shows the password`() throws {
        let url = try RedisURL("redis://me:hush@h/1")
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", String(reflecting: url), dumped] {
            #expect(!text.contains("hush"))
        }
        #expect(url.description == "redis://me:***@h:6379/1")
    }
}
