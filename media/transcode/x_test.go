package transcode

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestX(t *testing.T) {
	for _, m := range []Mode{ModeNative, ModeEmbedded} {
		e, err := Open(Config{Mode: m, CacheDir: "/tmp/antiphon-test-ffmpeg"})
		if err != nil {
			t.Fatal(err)
		}
		s := time.Now()
		if err := e.Warm(context.Background()); err != nil {
			t.Fatal(err)
		}
		fmt.Println(m, "warm", time.Since(s))
		d := t.TempDir()
		var out, log bytes.Buffer
		s = time.Now()
		err = e.Run(context.Background(), Job{Tool: FFprobe, Input: "/usr/share/games/frozen-bubble/snd/introzik.ogg", Stdout: &out, Stderr: &log, Args: func(in, o string) []string { return []string{"-of", "json", "-show_format", "-show_streams", "-i", in} }})
		fmt.Println(m, "probe", time.Since(s), err, log.String(), out.String()[:min(300, out.Len())])
		for _, a := range [][]string{{"-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-f", "mp4"}, {"-af", "ebur128=peak=true:framelog=verbose", "-f", "null"}, {"-c:a", "flac", "-f", "mp4"}} {
			out.Reset()
			log.Reset()
			s = time.Now()
			err = e.Run(context.Background(), Job{Tool: FFmpeg, Input: "/usr/share/games/frozen-bubble/snd/introzik.ogg", OutDir: d, Stdout: &out, Stderr: &log, Args: func(in, o string) []string { return append(append([]string{"-i", in}, a...), o+"/x.mp4") }})
			fmt.Println(m, a, time.Since(s), err)
			if err != nil {
				fmt.Println(log.String())
			}
			en, _ := os.ReadDir(d)
			for _, x := range en {
				i, _ := x.Info()
				fmt.Println(x.Name(), i.Size())
			}
		}
		ctx, c := context.WithTimeout(context.Background(), 700*time.Millisecond)
		s = time.Now()
		err = e.Run(ctx, Job{Tool: FFmpeg, Input: "/usr/share/games/frozen-bubble/snd/introzik.ogg", OutDir: d, Args: func(in, o string) []string { return []string{"-i", in, "-f", "mp4", o + "/y.mp4"} }})
		fmt.Println("cancel", time.Since(s), err)
		c()
		e.Close()
	}
}
