namespace Postrider; static class Program { static void Main() { } }
