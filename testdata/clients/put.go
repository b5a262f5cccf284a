// Command put writes a record, as in the quick start of the README.
package main

import (
	"log"

	as "github.com/aerospike/aerospike-client-go/v7"
)

func main() {
	if err := put(); err != nil {
		log.Fatal(err)
	}
}

func put() error {
	client, err := as.NewClient("127.0.0.1", 3000)
	if err != nil {
		return err
	}
	defer client.Close()
	key, err := as.NewKey("shop", "customers", "k2")
	if err != nil {
		return err
	}
	err = client.Put(nil, key, as.BinMap{"name": "Ann", "age": 31})
	if err != nil {
		return err
	}
	return nil
}
