package standin

import "testing"

func TestMainActsAsTheProgramItIsCalled(t *testing.T) {
	for name, c := range map[string]struct {
		argv []string
		want int
	}{
		"by its own name, without a program":      {[]string{"/usr/local/bin/standin"}, 2},
		"as the entrypoint of a program":          {[]string{"standin", "false"}, 1},
		"by a command's name":                     {[]string{"/bin/true"}, 0},
		"as a shell":                              {[]string{"/bin/sh", "-c", "exit 3"}, 3},
		"as bash":                                 {[]string{"bash", "-c", "true && test a = a"}, 0},
		"as Python with a module that it lacks":   {[]string{"python3.12", "-m", "pip"}, 2},
		"as Python with code":                     {[]string{"python3", "-c", "print(1)"}, 2},
		"as the entrypoint, with flags only":      {[]string{"standin", "-pool-name", "x"}, 2},
		"as the entrypoint of an unknown program": {[]string{"standin", "no-such-program"}, 127},
	} {
		if got := Main(c.argv); got != c.want {
			t.Errorf("%s: exit status %d, want %d", name, got, c.want)
		}
	}
}
